"""What all routers count together, in Redis: contacts that an agent has at once, and contacts in some seconds.

Both may be lost at any time, and both say None then. Both count the same contact once however often it is
written, so a batch that is stepped again after an abort or a crash changes no count.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.clock import real_now
from runtime.redis import Script, Scripts
from runtime.settings import Settings

log = logging.getLogger(__name__)

LEASE_SECONDS = 4 * 60 * 60
"""For so long a contact counts when nobody says that it has ended: longer than conversations are."""
LATE_SECONDS = 10 * 60
"""The same, where it could only be written after the fact: its end may have been told before. It is as long as
routers take a contact to last while they have no counts (`router.limits.HOLD_SECONDS`)."""
_MOST_OWED = 100_000
_LEAST_KEEP_SECONDS = 60

# KEYS: sets, the last one a mark; ARGV: milliseconds now. Answers with the contacts of each set whose lease runs, and
# with when the mark was made: it is made once, so it is a later one where Redis lost what it held.
_READ = Script("""
local counts, mark = {}, KEYS[#KEYS]
for i = 1, #KEYS - 1 do counts[i] = redis.call('ZCOUNT', KEYS[i], '(' .. ARGV[1], '+inf') end
redis.call('SET', mark, ARGV[1], 'NX')
counts[#KEYS] = redis.call('GET', mark)
return counts
""")

# KEYS: sets; ARGV: milliseconds now, seconds to keep a set, then for each set how many contacts, and for each
# contact the end of its lease and its name. One ZADD a contact: a list of any length fits on Lua's stack so.
_TAKE = Script("""
local at = 3
for i = 1, #KEYS do
  local last = at + 2 * ARGV[at]
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', ARGV[1])
  for j = at + 1, last, 2 do redis.call('ZADD', KEYS[i], ARGV[j], ARGV[j + 1]) end
  redis.call('EXPIRE', KEYS[i], ARGV[2])
  at = last + 1
end
return #KEYS
""")

# KEYS: a set for each contact; ARGV: the contacts.
_RELEASE = Script("""
for i = 1, #KEYS do redis.call('ZREM', KEYS[i], ARGV[i]) end
return #KEYS
""")

# KEYS: for each name its present window and the one before; ARGV: for each name the seconds to keep, how many
# contacts, and the contacts. Answers for each name with the count of the window before, and with that of the
# present one before and after.
_COUNT = Script("""
local counts, at = {}, 1
for i = 1, #KEYS, 2 do
  local last, changed = at + 1 + ARGV[at + 1], 0
  local before = redis.call('PFCOUNT', KEYS[i])
  for j = at + 2, last do changed = changed + redis.call('PFADD', KEYS[i], ARGV[j]) end
  redis.call('EXPIRE', KEYS[i], ARGV[at])
  counts[#counts + 1] = redis.call('PFCOUNT', KEYS[i + 1])
  counts[#counts + 1] = before
  counts[#counts + 1] = changed > 0 and redis.call('PFCOUNT', KEYS[i]) or before
  at = last + 1
end
return counts
""")

Taken = tuple[str, str]
"""The key of an agent (`schemas.topics.endpoint_key`) and that of a contact (`contact_key`)."""


class ContactsAtOnce:
    """The contacts that each agent has: a sorted set an agent, each contact in it until it ends or its lease does.

    `ask` and `take` do not wait: a slice reads, works and writes. What could not be written is kept, and written
    when Redis is back, with a lease of LATE_SECONDS. A Redis that lost what it held knows of too few contacts: for
    LATE_SECONDS it is taken for none, by whoever knew it before.
    """

    def __init__(
        self, settings: Settings, lease_seconds: float = LEASE_SECONDS, late_seconds: float = LATE_SECONDS
    ) -> None:
        self._scripts = Scripts(settings)
        self._prefix = f"{settings.prefix}at-once:"
        self._mark_name = f"{settings.prefix}at-once"
        self._lease_ms = round(lease_seconds * 1000)
        self._late_ms = min(self._lease_ms, round(late_seconds * 1000))
        self._keep_seconds = math.ceil(lease_seconds)
        self._asked: Sequence[str] = ()
        self._owed: dict[Taken, int] = {}  # what Redis has not confirmed, each with the end of its lease
        self._writing = False
        self._mark: str | None = None
        self._trusted_from = 0

    def ask(self, keys: Sequence[str]) -> None:
        """Send a question: how many contacts do these agents have? Does not wait."""
        self._written()
        if self._owed:  # what is to be counted comes first
            self._write()
            self._written()
        self._asked = keys
        names = [self._prefix + key for key in keys]
        self._scripts.send(_READ, [*names, self._mark_name], real_now() // 1000)

    def counts(self) -> dict[str, int] | None:
        """Return key -> contacts, for what was asked last; None without Redis, or where it lost what it held."""
        answer: list[Any] | None = self._scripts.answer()
        if answer is None:
            return None
        mark = answer.pop()
        if mark != self._mark:
            if self._mark is not None:
                log.warning("Redis has lost its counts of contacts: for %d s it has none", self._late_ms // 1000)
                self._trusted_from = real_now() // 1000 + self._late_ms
            self._mark = mark
        return dict(zip(self._asked, answer, strict=True)) if real_now() // 1000 >= self._trusted_from else None

    def read(self, keys: Sequence[str]) -> dict[str, int] | None:
        """Return key -> contacts; None without Redis."""
        self.ask(keys)
        return self.counts()

    def take(self, taken: Sequence[Taken]) -> None:
        """Count contacts from now on, until they are released or their leases end. Does not wait."""
        self._written()
        self._owed.update(dict.fromkeys(taken, real_now() // 1000 + self._lease_ms))
        self._write()

    def release(self, ended: Sequence[Taken]) -> bool:
        """Count contacts no more. Return whether Redis was told; False asks to try again."""
        self._written()
        for pair in ended:
            self._owed.pop(pair, None)
        if not ended:
            return True
        self._scripts.send(_RELEASE, [self._prefix + key for key, _ in ended], *(contact for _, contact in ended))
        return self._scripts.answer() is not None

    def _write(self) -> None:
        """Send what is owed."""
        now = real_now() // 1000
        sets: dict[str, list[str | int]] = {}
        for (key, contact), end in self._owed.items():
            sets.setdefault(self._prefix + key, []).extend((end, contact))
        values = [value for members in sets.values() for value in (len(members) // 2, *members)]
        self._scripts.send(_TAKE, list(sets), now, self._keep_seconds, *values)
        self._writing = True

    def _written(self) -> None:
        """Take note of whether Redis has what was sent to be written."""
        if not self._writing:
            return
        self._writing = False
        if self._scripts.answer() is not None:
            self._owed.clear()
            return
        now = real_now() // 1000
        late = now + self._late_ms
        owed = [(pair, min(end, late)) for pair, end in self._owed.items() if end > now]
        self._owed = dict(owed[-_MOST_OWED:])


class WindowCounts:
    """How many different contacts a name had in the last seconds, estimated from two fixed windows.

    The count of the window before, weighted by the part of it that still lies within the last seconds, plus that of
    the present window. Each window is a HyperLogLog: it counts a contact that comes again once, as a set does, and
    takes 12 KB at most (a few bytes when small) however many contacts there are, where a set takes 100 bytes each; it
    holds no contact's name. It is exact for the few contacts of one customer, and off by 0.8 % (standard error) for
    many.
    """

    def __init__(self, settings: Settings) -> None:
        self._scripts = Scripts(settings)
        self._prefix = f"{settings.prefix}window:"

    def count(self, asked: Sequence[tuple[str, str, float]], now_seconds: float) -> list[float] | None:
        """Count contacts and return, for each, how many its name had in the last seconds by then, itself included.

        asked: name, contact, seconds. now_seconds: Trunkline's time. What is asked together is counted in its order.
        A contact that was counted before may get the count of all that came since. None without Redis.
        """
        if not asked:
            return []
        groups: dict[tuple[str, float], list[int]] = {}
        for at, (name, _, seconds) in enumerate(asked):
            groups.setdefault((name, seconds), []).append(at)
        keys: list[str] = []
        values: list[str | int] = []
        for (name, seconds), places in groups.items():
            window = int(now_seconds // seconds)
            keys += (f"{self._prefix}{name}:{seconds:g}:{each}" for each in (window, window - 1))
            values += (max(_LEAST_KEEP_SECONDS, round(2 * seconds)), len(places), *(asked[at][1] for at in places))
        self._scripts.send(_COUNT, keys, *values)
        answer: list[int] | None = self._scripts.answer()
        return None if answer is None else _estimates(groups, answer, now_seconds, len(asked))


def _estimates(
    groups: Mapping[tuple[str, float], Sequence[int]], answer: Sequence[int], now_seconds: float, asked: int
) -> list[float]:
    """Return the count of each contact: of a slice's, in equal steps from the count before it to the one after."""
    counts = [0.0] * asked
    for ((_, seconds), places), earlier, before, after in zip(
        groups.items(), answer[::3], answer[1::3], answer[2::3], strict=True
    ):
        weighted = earlier * (1.0 - now_seconds % seconds / seconds)
        step = (after - before) / len(places)
        for nth, at in enumerate(places, 1):
            counts[at] = weighted + before + step * nth
    return counts
