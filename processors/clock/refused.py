"""Dead letters of control records that cannot be applied: one each, although every service reads them at each start."""

from __future__ import annotations

import time

from runtime.control import ControlFollower
from runtime.errors import KafkaUnavailableError
from runtime.kafka import Reader, Record
from runtime.metrics import METRICS
from runtime.settings import Settings
from schemas.envelope import Packed, dead_letter
from schemas.topics import BY_NAME

_STAGE = "control"
_SERVICE = "clock"
_READ_SECONDS = 10.0


class RefusedRecords:
    """What a follower refused and nobody wrote a letter of yet. The dead-letter topics themselves remember that."""

    def __init__(self, settings: Settings, follower: ControlFollower) -> None:
        self._settings = settings
        self._follower = follower
        self._checked = 0
        self._waiting: dict[tuple[str, int], Packed] = {}
        self._given: set[tuple[str, int]] = set()

    def letters(self) -> list[Packed]:
        """Return the letters that are to be written with this step."""
        new = self._follower.refused[self._checked :]
        if new:
            written = self._written({record.topic for record, _problem in new})
            for record, problem in new:
                if (record.topic, record.offset) not in written:
                    self._waiting[record.topic, record.offset] = dead_letter(record, _STAGE, problem)
            self._checked += len(new)
        fresh = [place for place in self._waiting if place not in self._given]
        self._given.update(fresh)
        return [self._waiting[place] for place in fresh]

    def begin(self) -> None:
        """What was given and not committed is to be given again."""
        self._given.clear()

    def committed(self) -> None:
        """What was given is written."""
        for place in self._given:
            letter = self._waiting.pop(place)
            reason = next(value for name, value in letter.headers if name == "dlq_reason").decode()
            METRICS.dead_letters.labels(_SERVICE, _STAGE, reason).inc()
        self._given.clear()

    def _written(self, topics: set[str]) -> set[tuple[str, int]]:
        """Return the places of which there is a letter: (topic, offset); control topics have one partition."""
        reader = Reader(self._settings, [BY_NAME[name].dead_letter_name for name in topics], start="beginning")
        deadline = time.monotonic() + _READ_SECONDS
        found: set[tuple[str, int]] = set()
        try:
            while not reader.at_end():
                if time.monotonic() > deadline:
                    raise KafkaUnavailableError(f"dead letters could not be read to their end in {_READ_SECONDS:g} s")
                found.update(map(_origin, reader.read(1000, 0.2)))
        finally:
            reader.close()
        return found


def _origin(letter: Record) -> tuple[str, int]:
    headers = dict(letter.headers)
    return headers["dlq_topic"].decode(), int(headers["dlq_offset"])
