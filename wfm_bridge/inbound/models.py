"""What WFM sends and what it is answered: JSON bodies, with ISO 8601 times."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Annotated, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.control import PLAN_INTERVALS, Availability, PlannedInterval, QueuePlan
from schemas.fields import FINITE, LATEST
from wfm_bridge.models import to_micros
from wfm_bridge.problems import RequestError

_Number = Annotated[float, Field(ge=0.0, le=FINITE, allow_inf_nan=False, strict=True)]
_People = Annotated[_Number, Field(description="people in seats")]


def _only_text(given: object) -> object:
    """Refuse numbers, which pydantic takes for seconds or milliseconds, whichever seems likelier."""
    if not isinstance(given, str | dt.datetime):
        raise ValueError("give a time as text, in ISO 8601")  # noqa: TRY004 - what pydantic reports
    return given


_Time = Annotated[dt.datetime, BeforeValidator(_only_text)]
_TIME = "ISO 8601 with an offset, else UTC, from 1970 to 9999"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AvailabilityBody(_Body):
    """How many people a queue needs and has, until `expires_at`. What is said next of the queue replaces it."""

    agents_available: _People
    agents_required: _Number = Field(description="people needed for the queue's service level")
    starts_at: _Time | None = Field(default=None, description=f"from when; null: now. {_TIME}")
    expires_at: _Time = Field(description=f"until when; nothing is known afterwards. {_TIME}")
    agents_on_break: _People = 0.0
    agents_off_phone: _People = 0.0
    agents_overtime: _People = 0.0

    def event(self, tenant: str, queue: str) -> Availability:
        """Return it as the topic has it; raises RequestError (422) where a time is out of range."""
        return Availability(
            tenant=tenant,
            queue=queue,
            agents_required=self.agents_required,
            agents_available=self.agents_available,
            starts_at=0 if self.starts_at is None else _micros("starts_at", self.starts_at),
            expires_at=_micros("expires_at", self.expires_at),
            occurred_at=0,
            agents_on_break=self.agents_on_break,
            agents_off_phone=self.agents_off_phone,
            agents_overtime=self.agents_overtime,
        )


class IntervalBody(_Body):
    """What is planned for one interval; null is left as it was planned before."""

    contacts: _Number | None = Field(default=None, description="contacts for people that arrive in the interval")
    aht_seconds: _Number | None = Field(default=None, description="their handle time, talk and wrap")
    agents: _People | None = None


class PlanBody(_Body):
    """The plan of a queue from `starts_at` on, interval by interval, without gaps."""

    starts_at: _Time = Field(description=f"when the first interval begins. {_TIME}")
    interval_seconds: int = Field(default=900, ge=60, le=86_400, description="length of each interval")
    intervals: list[IntervalBody] = Field(min_length=1, max_length=PLAN_INTERVALS, description="in order")

    def event(self, tenant: str, queue: str) -> QueuePlan:
        """Return it as the topic has it; raises RequestError (422) where a time is out of range."""
        return QueuePlan(
            tenant=tenant,
            queue=queue,
            starts_at=_micros("starts_at", self.starts_at),
            interval_seconds=self.interval_seconds,
            intervals=tuple(PlannedInterval(**each.model_dump()) for each in self.intervals),
            occurred_at=0,
        )


class WrittenAnswer(BaseModel):
    """What became of what was said of a queue."""

    topic: str = Field(description="topic that has it, by its name in the registry")
    queue: str = Field(description="queue of people")
    new: bool = Field(description="false: the same stood already, and nothing was written")
    epoch: int = Field(
        description="offset of its record, or of the topic's last one where nothing was written: decisions whose "
        "epoch of the topic is this or higher go by it"
    )


class WrittenAnswers(BaseModel):
    """What became of all that was said at once."""

    items: list[WrittenAnswer] = Field(description="a record each; a queue has several where its plan has gaps")


def _micros(name: str, given: dt.datetime) -> int:
    try:
        micros = to_micros(given)
    except OverflowError:
        micros = -1
    if not 0 <= micros <= LATEST:
        _refuse(name, given)
    return micros


def _refuse(name: str, given: dt.datetime) -> NoReturn:
    raise RequestError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{name!r} is not an instant from 1970 to 9999",
        f"{name}={given.isoformat()}",
        "Give ISO 8601 with an offset, as in 2026-12-01T08:00:00Z.",
    )
