"""Planned maintenance in the views: what is forecast stands beside what is so, and hides none of it."""

import itertools
from typing import Any

import msgspec

from schemas.fields import BreakerState
from schemas.wfm import CapacitySignal
from wfm_bridge.models import to_answer
from wfm_bridge.store import QueueView, Views

MINUTE = 60_000_000
NOW = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
BEGINS = NOW + 15 * MINUTE


def row(revision: int, at: int = NOW, endpoint: str = "one", lost: float = 5.0, **changes: Any) -> CapacitySignal:
    base = CapacitySignal(
        tenant="acme", queue="billing", revision=revision, ai_contacts_per_minute_lost=lost, endpoints_out=(endpoint,),
        cause_endpoint=endpoint, cause_state=BreakerState.OPEN, cause_epoch=revision, expected_seconds_p50=60,
        expected_seconds_p90=300, duration_samples=0, occurred_at=at,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def forecast(revision: int, endpoint: str = "one", **changes: Any) -> CapacitySignal:
    return row(revision, endpoint=endpoint, starts_at=BEGINS, ends_at=BEGINS + 60 * MINUTE, confidence=0.5, **changes)


def shown(*rows: CapacitySignal) -> list[int]:
    """Revisions shown, the same in whatever order the rows are read and however often."""
    found = set()
    for order in itertools.permutations(rows):
        view: QueueView[CapacitySignal] = QueueView()
        for each in (*order, *order[:1]):
            view.apply(each)
        assert len(view) == len(view.select(tenant="acme", queue="billing"))
        found.add(tuple(each.revision for each in view.select()))
    assert len(found) == 1
    return list(found.pop())


def test_a_forecast_does_not_hide_the_outage_of_another_agent() -> None:
    assert shown(row(1, endpoint="two"), forecast(2)) == [1, 2]
    assert shown(forecast(1), row(2, endpoint="two"), row(3, NOW + MINUTE, "two", 0.0)) == [3, 1]


def test_a_forecast_is_gone_once_it_begins_or_is_called_off() -> None:
    assert shown(forecast(1), row(2, BEGINS)) == [2]
    assert shown(forecast(1), row(2, NOW + MINUTE, lost=0.0, cause_state=BreakerState.CLOSED)) == [2]


def test_a_forecast_that_nothing_followed_is_gone_with_the_next_word_of_the_queue_after_its_start() -> None:
    assert shown(forecast(1), row(2, BEGINS + MINUTE, "two")) == [2]


def test_a_later_forecast_of_an_agent_replaces_the_one_before_and_agents_have_one_each() -> None:
    assert shown(forecast(1), forecast(2)) == [2]
    assert shown(forecast(1), forecast(2, "two")) == [1, 2]


def test_the_view_answers_when_it_will_be_so_and_how_sure_that_is() -> None:
    views = Views()
    views.apply(forecast(1))
    (answer,) = map(to_answer, views.capacity.select())
    assert answer["starts_at"].isoformat() == "2026-03-01T09:15:00+00:00"
    assert answer["ends_at"].isoformat() == "2026-03-01T10:15:00+00:00"
    assert (answer["confidence"], answer["duration_source"]) == (0.5, "prior")
