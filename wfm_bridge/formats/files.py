"""Files that are there whole or not at all, and their names."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runtime.errors import SettingsError
from wfm_bridge.formats import Asked
from wfm_bridge.history.kept import Span


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write beside `path`, which it replaces when all went well.

    Raises SettingsError where it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as problem:
        raise SettingsError(f"{path} cannot be written: {problem.strerror or problem}; give another place") from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def file_name(table: str, span: Span, asked: Asked, suffix: str) -> str:
    """Return the name of a table's file in a folder: another for each range, tenant and kind of rows.

    It has letters, digits, dots, hyphens and underscores alone, and sorts by time within a tenant.
    """
    parts = [] if asked.tenant is None else [_plain(asked.tenant)]
    parts += [table, _moment(span.start), _moment(span.end)]
    if asked.changed_since is not None:
        parts += ["changed-since", _moment(asked.changed_since)]
    return "-".join(parts) + suffix


def _moment(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds)) + (f".{fraction:06}" if fraction else "") + "Z"


def _plain(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
