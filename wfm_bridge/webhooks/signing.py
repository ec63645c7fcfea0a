"""Secrets and signatures, by the Standard Webhooks scheme.

A secret is derived from the installation's key, the subscription's id and a generation (HMAC-SHA256 as the
pseudo-random function): nothing that is secret is stored or sent over a topic (decision 0014).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import SettingsError
from runtime.settings import Settings
from schemas.webhooks import WebhookSubscription

PREFIX = "whsec_"
"""Opens every secret as it is shown, by the scheme."""
LEAST_KEY_BYTES = 16
_CHECK_DIGITS = 16
"""Of a digest of a secret of 256 bits: nobody finds the secret by it, and no other key has the same by chance."""


def installation_key(settings: Settings, *, make: bool = False) -> bytes:
    """Return the key that secrets are derived from; `make` one in the data folder where there is none.

    Raises SettingsError where there is none, or it is too short.
    """
    if settings.webhook_key is not None:
        key = settings.webhook_key.get_secret_value().encode()
    else:
        file = settings.data / "webhooks.key"
        key = _made(file) if make and not file.exists() else _read(file)
    if len(key) < LEAST_KEY_BYTES:
        raise SettingsError(
            f"the key of webhooks has {len(key)} bytes: with fewer than {LEAST_KEY_BYTES}, signatures could be forged "
            "by trying keys. Set TRUNKLINE_WEBHOOK_KEY to a longer one, as of `openssl rand -hex 32`."
        )
    return key


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes().strip()
    except OSError as problem:
        raise SettingsError(
            f"there is no key of webhooks: TRUNKLINE_WEBHOOK_KEY is not set, and {file} cannot be read "
            f"({problem.strerror}). Give the one with which subscriptions were added."
        ) from problem


def _made(file: Path) -> bytes:
    """Put a new key in place as a whole, mode 0600, unless somebody else just did; return the one that is there."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".webhooks.key.")
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
        Path(name).unlink()
    except OSError as problem:
        raise SettingsError(f"{file} cannot be written: {problem.strerror}; give another --data") from problem
    return _read(file)


def derived(key: bytes, subscription: str, generation: int) -> bytes:
    """Return the secret of a subscription: 32 bytes."""
    return hmac.digest(key, f"trunkline webhook\0{subscription}\0{generation}".encode(), hashlib.sha256)


def shown(secret: bytes) -> str:
    """Return a secret as receivers' libraries take it."""
    return PREFIX + base64.b64encode(secret).decode()


def check_of(secret: bytes) -> str:
    """Return what tells two secrets apart and neither of them."""
    return hashlib.sha256(secret).hexdigest()[:_CHECK_DIGITS]


def is_key_of(key: bytes, subscription: WebhookSubscription) -> bool:
    """Return whether a subscription was made with this key."""
    secret = derived(key, subscription.subscription, subscription.secret_generation)
    return hmac.compare_digest(check_of(secret), subscription.secret_check)


def secrets_of(key: bytes, subscription: WebhookSubscription, now: int) -> list[bytes]:
    """Return the secrets that sign at `now` (UTC microseconds), the present one first."""
    generation = subscription.secret_generation
    until = subscription.previous_secret_until
    both = until is not None and now < until
    return [derived(key, subscription.subscription, each) for each in (generation, generation - 1)[: 1 + both]]


def signed(secrets_: Sequence[bytes], message_id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed message: one signature for each secret, over id, time of the attempt and body."""
    content = f"{message_id}.{timestamp_seconds}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in secrets_]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
