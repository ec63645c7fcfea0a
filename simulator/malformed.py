"""Records that no reader can use, as careless or broken writers send them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from schemas.codec import HEADER_BYTES, MARKER, Codec
from schemas.envelope import Packed
from schemas.fields import FinishedBy
from schemas.interactions import Completed, Offered
from schemas.topics import OFFERED

_RANDOM_BYTES_MAX = 200


class Malformed:
    """Makes one malformed offer after another, each of another kind and under a key of its own.

    `counts` says how many of each kind were made; `share` is the chance of one per contact.
    """

    def __init__(self, share: float, run_id: str, codec: Codec, rng: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._share = share
        self._run_id = run_id
        self._codec = codec
        self._rng = rng
        self._kinds: Mapping[str, Callable[[Offered], bytes | None]] = {
            "random_bytes": self._random_bytes,
            "truncated": self._truncated,
            "unknown_schema": self._unknown_schema,
            "missing_field": self._missing_field,
            "invalid_field": self._invalid_field,
            "wrong_type": self._wrong_type,
            "no_value": lambda _offered: None,
        }
        self._order = tuple(self._kinds)

    def beside(self, offered: Offered) -> Packed | None:
        """Return a malformed record to be written beside this offer, or None for most offers."""
        if self._rng.random() >= self._share:
            return None
        number = self.counts.total()
        kind = self._order[number % len(self._order)]
        self.counts[kind] += 1
        key = f"{self._run_id}-malformed-{number + 1:06d}"
        value = self._kinds[kind](msgspec.structs.replace(offered, interaction_id=key))
        return Packed(OFFERED.name, key.encode(), value)

    def _random_bytes(self, _offered: Offered) -> bytes:
        return b"\x00" + self._rng.randbytes(self._rng.randint(1, _RANDOM_BYTES_MAX))  # never opens like a record

    def _truncated(self, offered: Offered) -> bytes:
        value = self._codec.encode(offered)
        return value[: self._rng.randrange(HEADER_BYTES, len(value))]

    def _unknown_schema(self, offered: Offered) -> bytes:
        return MARKER + self._rng.randbytes(8) + self._codec.encode(offered)[HEADER_BYTES:]

    def _missing_field(self, offered: Offered) -> bytes:
        return self._codec.encode(msgspec.structs.replace(offered, tenant=""))

    def _invalid_field(self, offered: Offered) -> bytes:
        telepathy: Any = "telepathy"
        return self._codec.encode(msgspec.structs.replace(offered, channel=telepathy))

    def _wrong_type(self, offered: Offered) -> bytes:
        completed = Completed(
            interaction_id=offered.interaction_id,
            tenant=offered.tenant,
            finished_by=FinishedBy.AI,
            ai_turns=0,
            occurred_at=offered.occurred_at,
        )
        return self._codec.encode(completed)
