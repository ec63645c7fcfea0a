"""API keys: who may ask what about which tenant. A file has their digests; the keys themselves are not kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from runtime.errors import ApiKeysError
from schemas.fields import Id

log = logging.getLogger(__name__)

KEY_BYTES = 32
"""256 bits: nobody guesses one, so a plain digest of it can be kept, without salt or stretching."""
PREFIX = "tlk_"
"""Opens every key, so that scanners for leaked secrets can find one."""

ALL_TENANTS = "*"
"""In place of a tenant: a key for all of them, such as that of a WFM platform that serves them all."""


class Scope(enum.StrEnum):
    """What a key is good for."""

    READ_WFM = "read:wfm"
    """The live views: volumes, staffing, capacity, breakers, and what WFM said."""
    READ_SESSIONS = "read:sessions"
    """Single contacts, with what was said."""
    WRITE_WFM = "write:wfm"
    """To say how many people there are and what is planned."""


_Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[\w.@-]+$")]
_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key as the file has it. `sha256`: of the key's UTF-8. `expires_at`: null where it is good until revoked.

    `scopes`: keys that were made before there were any are for contacts alone.
    """

    name: _Name
    tenant: Id
    sha256: _Digest
    created_at: Annotated[dt.datetime, Meta(tz=True)]
    expires_at: Annotated[dt.datetime, Meta(tz=True)] | None = None
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)] = (Scope.READ_SESSIONS,)

    def is_good(self, now: dt.datetime) -> bool:
        """Return whether the key has not expired by then."""
        return self.expires_at is None or now < self.expires_at


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[ApiKey, ...]


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Return the keys of a file, none where there is no file; raises ApiKeysError where it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).keys
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError) as problem:
        raise ApiKeysError(
            f"{path} cannot be used: {problem}. Correct it, or delete it and make the keys anew with "
            "'trunkline keys create'."
        ) from problem


def create_key(
    path: Path,
    name: str,
    tenant: str,
    expires_at: dt.datetime | None = None,
    scopes: tuple[Scope, ...] = (Scope.READ_SESSIONS,),
) -> str:
    """Add a key to the file and return it: it is shown this once.

    Raises ApiKeysError where the name is taken or makes no sense, or where contacts of all tenants are asked for: ids
    of contacts are each tenant's own.
    """
    if tenant == ALL_TENANTS and Scope.READ_SESSIONS in scopes:
        raise ApiKeysError(
            f"no key is for the contacts of all tenants: give {name!r} one tenant, or other scopes than "
            f"{Scope.READ_SESSIONS}"
        )
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    made = ApiKey(
        name=name, tenant=tenant, sha256=_digest(key), created_at=_now(), expires_at=expires_at, scopes=scopes
    )
    try:
        msgspec.convert(msgspec.to_builtins(made), ApiKey)
    except msgspec.ValidationError as problem:
        raise ApiKeysError(f"no key can be called {name!r} for tenant {tenant!r}: {problem}") from problem
    with _locked(path):
        keys = read_keys(path)
        if any(each.name == name for each in keys):
            raise ApiKeysError(f"there is a key {name!r} already: choose another name, or revoke that one first")
        _write(path, (*keys, made))
    return key


def revoke_key(path: Path, name: str) -> ApiKey:
    """Take a key out of the file and return what it was; raises ApiKeysError where there is none of that name."""
    with _locked(path):
        keys = read_keys(path)
        revoked = next((each for each in keys if each.name == name), None)
        if revoked is None:
            known = ", ".join(each.name for each in keys) or "none"
            raise ApiKeysError(f"there is no key {name!r} in {path}; there are: {known}")
        _write(path, tuple(each for each in keys if each is not revoked))
    return revoked


class Keyring:
    """The keys of a file as they are now: it is read again when it has changed. One that makes no sense has none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: tuple[ApiKey, ...] = ()

    def find(self, given: str) -> ApiKey | None:
        """Return what is kept of a key; None where it is not known or has expired.

        Every key is compared, in a time that does not depend on where they differ.
        """
        self._refresh()
        digest = _digest(given)
        found: ApiKey | None = None
        for each in self._keys:
            if hmac.compare_digest(each.sha256, digest):
                found = each
        return found if found is not None and found.is_good(_now()) else None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            seen: tuple[int, ...] = ()
        else:
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._keys = read_keys(self._path)
        except ApiKeysError as problem:
            log.warning("no API key is taken: %s", problem)
            self._keys = ()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other commands from changing the file meanwhile, by a lock on its folder, which leaves no file behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as problem:
        raise ApiKeysError(f"{path.parent} cannot be used for API keys: {problem.strerror}") from problem
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    """Put the file in place as a whole: who reads it meanwhile has the old one or the new one. Mode 0600."""
    body = msgspec.json.format(msgspec.json.encode(_File(keys)), indent=2) + b"\n"
    try:
        file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as problem:
        raise ApiKeysError(f"{path} cannot be written: {problem.strerror}") from problem
    try:
        with os.fdopen(file, "wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(path)
    except OSError as problem:
        Path(name).unlink(missing_ok=True)
        raise ApiKeysError(f"{path} cannot be written: {problem.strerror}") from problem
