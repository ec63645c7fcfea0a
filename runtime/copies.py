"""Copies of contacts in Redis, by which others look them up: written by the service `copies`, read by the bridge.

A contact is one hash, `<prefix>session:<interaction_id>`: `view` has its header and `turn-EPOCH-NUMBER` a turn, each
as JSON, and beside each stands its revision, under the same name with an `@` behind. The hash `<prefix>session-copies`
has, for each partition of `sessions.views`, the offset from which on records are not copied yet. A batch of records
and the offset behind it are written by one script, both or neither, and only where that offset is still the one that
the writer began from. So what Redis holds always belongs together: a Redis that lost its data, or fell back to older
data, has lost the offsets too, and says by them from where it must be filled again; and of two writers one is told
that it has lost.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from runtime.errors import StoreUnavailableError
from runtime.redis import Script, Scripts
from runtime.settings import Settings
from schemas.views import SessionView, TurnView

KEEP_SECONDS = 26 * 60 * 60
"""A copy that nobody writes to goes after so long. It ends what no tombstone did; these come sooner."""
LEAVE_SECONDS = 60 * 60
"""The same once the header is gone: turns whose tombstones, on other partitions, have not come by then."""
VIEW = "view"
NOWHERE = -1
"""Position of a partition of which nothing is copied."""
_REVISION = "@"
_SCRIPT_SECONDS = 2.0
"""Redis may be busy for as long (with a snapshot, or with others' scripts): nobody waits for a copy meanwhile."""
_LOOKUP_SECONDS = 0.25
_MOST_CONNECTIONS = 64

# KEYS: the positions, then the hash of each change; ARGV: partition, the position that the writer expects, the next
# one, seconds to keep a hash, seconds to keep what a header leaves, then for each change its field, 1 where what stands
# there goes first, the revision (-1: nothing is written), and the JSON. Answers with 1 where it was done, else 0, and
# the position that stands now. Run twice, it finds its own position and does nothing.
_APPLY = Script("""
local stands = redis.call('HGET', KEYS[1], ARGV[1]) or '-1'
if stands ~= ARGV[2] then return {0, tonumber(stands)} end
local at = 6
for i = 2, #KEYS do
  local key, field, beside = KEYS[i], ARGV[at], ARGV[at] .. '@'
  if ARGV[at + 1] == '1' then
    redis.call('HDEL', key, field, beside)
    if field == 'view' then redis.call('EXPIRE', key, ARGV[5]) end
  end
  local revision = tonumber(ARGV[at + 2])
  if revision > tonumber(redis.call('HGET', key, beside) or '-1') then
    redis.call('HSET', key, field, ARGV[at + 3], beside, ARGV[at + 2])
    redis.call('EXPIRE', key, ARGV[4])
  end
  at = at + 4
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return {1, tonumber(ARGV[3])}
""")

_POSITIONS = Script("return redis.call('HGETALL', KEYS[1])")


class Change(NamedTuple):
    """What a batch makes of one field of a contact's hash.

    `cleared`: what stands there goes first, whatever its revision. revision: `NOWHERE` where nothing is written.
    """

    interaction_id: str
    field: str
    revision: int
    body: bytes
    cleared: bool = False


class Batch(NamedTuple):
    """Changes by the records of one partition, from the offset `expected` (or `NOWHERE`) to just before `following`."""

    partition: int
    expected: int
    following: int
    changes: Sequence[Change]


class Outcome(enum.Enum):
    """What became of a batch."""

    APPLIED = "applied"
    LOST = "lost"
    """Nothing was written: the position is another one."""


class Applied(NamedTuple):
    """Redis's answer to a batch: what became of it, and the position of its partition now."""

    outcome: Outcome
    position: int


class SessionCopies:
    """Writes copies: `send` a batch, work, ask for its `answer`. One at a time. Without Redis answers are None."""

    def __init__(
        self, settings: Settings, keep_seconds: int = KEEP_SECONDS, leave_seconds: int = LEAVE_SECONDS
    ) -> None:
        self._scripts = Scripts(settings, timeout_seconds=_SCRIPT_SECONDS, rest_seconds=0.0, quiet=True)
        self._prefix = f"{settings.prefix}session:"
        self._positions = f"{settings.prefix}session-copies"
        self._seconds = (keep_seconds, leave_seconds)

    def positions(self) -> dict[int, int] | None:
        """Return partition -> the offset from which on nothing is copied; None without Redis."""
        self._scripts.send(_POSITIONS, [self._positions])
        answer: list[str] | None = self._scripts.answer()
        if answer is None:
            return None
        return {int(partition): int(offset) for partition, offset in zip(answer[::2], answer[1::2], strict=True)}

    def send(self, batch: Batch) -> None:
        """Send a batch to be written. Does not wait."""
        keys = [self._positions]
        values: list[str | bytes | int] = [batch.partition, batch.expected, batch.following, *self._seconds]
        for interaction_id, field, revision, body, cleared in batch.changes:
            keys.append(self._prefix + interaction_id)
            values += (field, int(cleared), revision, body)
        self._scripts.send(_APPLY, keys, *values)

    def answer(self) -> Applied | None:
        """Return what became of the batch that was sent last; None without Redis: then it may be written or not."""
        answer: list[int] | None = self._scripts.answer()
        if answer is None:
            return None
        done, position = answer
        return Applied(Outcome.APPLIED if done else Outcome.LOST, position)

    @property
    def problem(self) -> str:
        """Why Redis did not answer the last time that it did not."""
        return self._scripts.problem


class Copy(NamedTuple):
    """A contact as Redis has it; its turns by epoch and number."""

    view: SessionView
    turns: tuple[TurnView, ...]


class SessionLookup:
    """Reads copies, many at a time. `close` it in the event loop that used it."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = f"{settings.prefix}session:"
        self._client: Any = redis.asyncio.Redis.from_url(
            settings.redis_url,
            socket_timeout=_LOOKUP_SECONDS,
            socket_connect_timeout=_LOOKUP_SECONDS,
            max_connections=_MOST_CONNECTIONS,
            retry=Retry(NoBackoff(), 1),  # a connection from before a restart of Redis breaks when it is used
        )
        self._view = msgspec.json.Decoder(SessionView)
        self._turn = msgspec.json.Decoder(TurnView)

    async def find(self, interaction_id: str) -> Copy | None:
        """Return the copy of a contact, None where there is none; raises StoreUnavailableError."""
        try:
            found: dict[bytes, bytes] = await self._client.hgetall(self._prefix + interaction_id)
        except redis.RedisError as problem:
            raise StoreUnavailableError(f"Redis does not answer: {problem}") from problem
        view = found.pop(VIEW.encode(), None)
        if view is None:  # turns may come before their header, and outlive it for a moment
            return None
        turns = [body for field, body in found.items() if not field.endswith(_REVISION.encode())]
        try:
            decoded = [self._turn.decode(body) for body in turns]
            decoded.sort(key=lambda turn: (turn.exchange.epoch, turn.exchange.turn))
            return Copy(self._view.decode(view), tuple(decoded))
        except msgspec.MsgspecError as problem:
            raise StoreUnavailableError(f"the copy in Redis is of another release: {problem}") from problem

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
