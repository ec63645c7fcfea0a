"""What stands in the place of a value: `[card:3f9a1c2b]`, the same for the same value wherever it is said.

The digits are the first 32 bits of BLAKE2b under the installation's key, so who has the topics but not the key cannot
find the value by trying all, and who has both can follow a value through the logs. 32 bits tell values apart (two of
10,000 have the same token once in 90 installations), and say next to nothing of one. Without a key it is `[card]`.
"""

from __future__ import annotations

import hashlib
import re

from runtime.redaction.emails import written_email
from runtime.redaction.kinds import Kind
from runtime.redaction.phones import dialled

KEY_BYTES = 64
"""The longest key of BLAKE2b; a longer one is hashed first, as HMAC does."""
_TOKEN_BYTES = 4
_NO_SIGN = re.compile(r"[\W_]+")

TOKEN = re.compile(rf"\[(?:{'|'.join(Kind)})(?::[0-9a-f]{{8}})?\]")


class Tokens:
    """Makes tokens under a key; None makes them without digits."""

    def __init__(self, key: bytes | None) -> None:
        key = hashlib.blake2b(key).digest() if key and len(key) > KEY_BYTES else key
        self._keyed = hashlib.blake2b(key=key, digest_size=_TOKEN_BYTES) if key else None
        self._bare = {kind: f"[{kind}]" for kind in Kind}

    def token(self, kind: Kind, written: str) -> str:
        """Return the token of a value as it is written, in plain characters (`runtime.redaction.plain`)."""
        if self._keyed is None:
            return self._bare[kind]
        keyed = self._keyed.copy()
        keyed.update(f"{kind}:{normal(kind, written)}".encode("utf-8", "surrogatepass"))
        return f"[{kind}:{keyed.hexdigest()}]"


def normal(kind: Kind, written: str) -> str:
    """Return what all ways to write a value have in common: digits and letters, in one case."""
    if kind is Kind.PHONE:
        return dialled(written)
    if kind is Kind.EMAIL:
        return written_email(written)
    if kind in (Kind.NAME, Kind.PLACE):
        return " ".join(written.casefold().split())
    return _NO_SIGN.sub("", written).upper()
