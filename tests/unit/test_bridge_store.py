"""View tables and readiness: revisions, order, filters, offsets."""

from __future__ import annotations

import msgspec
import pytest

from schemas.agents import Evidence, Tick, Transition
from schemas.errors import RecordError
from schemas.fields import BreakerState, Channel
from schemas.wfm import ContainmentRow, TrendSpan, VolumeRow
from wfm_bridge.progress import Behind, Place, Progress
from wfm_bridge.store import MAX_MICROS, BreakerView, Views
from wfm_bridge.trends import By
from wfm_bridge.verdict import Verdict

QUARTER = 900_000_000


def volume(interval: int = 0, revision: int = 1, offered: int = 1, **other: str) -> VolumeRow:
    names = {"tenant": "acme", "queue": "billing", "intent": "refund", **other}
    return VolumeRow(
        **names, channel=Channel.VOICE, language="en", interval_start=interval * QUARTER, revision=revision,
        offered=offered, ai_contained=0, ai_assisted=0, ai_escalated=0, human_only=offered, deflected=0,
        abandoned=0, in_progress=0, updated_at=1,
    )  # fmt: skip


def transition(epoch: int, to_state: BreakerState = BreakerState.OPEN, endpoint: str = "nova") -> Transition:
    evidence = Evidence(
        window_seconds=60, outcomes=10, failures=9, consecutive_failures=9, failure_rate=0.9, posterior_mean=0.8,
        latency_mean_ms=100, latency_baseline_ms=100,
    )  # fmt: skip
    return Transition(
        tenant="acme", provider="north", endpoint=endpoint, from_state=BreakerState.CLOSED, to_state=to_state,
        epoch=epoch, reason="failures", evidence=evidence, occurred_at=epoch,
    )  # fmt: skip


def test_a_row_of_a_lower_revision_is_ignored_and_an_equal_one_replaces() -> None:
    view = Views().volume
    assert view.apply(volume(revision=5, offered=5)) is Verdict.APPLIED
    assert view.apply(volume(revision=4, offered=4)) is Verdict.OLDER
    assert [row.offered for row in view.select()] == [5]
    assert view.apply(volume(revision=5, offered=6)) is Verdict.APPLIED
    assert [row.offered for row in view.select()] == [6]


def test_rows_are_listed_by_interval_and_the_end_of_a_range_is_not_part_of_it() -> None:
    view = Views().volume
    for interval in (3, 1, 2, 0):
        view.apply(volume(interval))
    found = view.select(from_micros=QUARTER, to_micros=3 * QUARTER)
    assert [row.interval_start for row in found] == [QUARTER, 2 * QUARTER]


def test_each_filter_leaves_only_its_own_rows() -> None:
    view = Views().volume
    rows = [volume(), volume(tenant="beta"), volume(queue="sales"), volume(intent="cancel")]
    for row in rows:
        view.apply(row)
    assert view.select(tenant="beta") == [rows[1]]
    assert view.select(queue="sales") == [rows[2]]
    assert view.select(intent="cancel") == [rows[3]]
    assert view.select(tenant="acme", queue="billing", intent="refund") == [rows[0]]


def test_late_totals_are_in_no_range_of_time_and_listed_first_where_they_are_asked_for() -> None:
    view = Views().volume
    rows = [volume(1), volume(), msgspec.structs.replace(volume(), late=True)]
    for row in rows:
        assert view.apply(row) is Verdict.APPLIED
    assert view.select() == view.select(from_micros=0) == view.select(to_micros=9 * QUARTER) == [rows[1], rows[0]]
    assert view.select(late=True) == [rows[2], rows[1], rows[0]]
    assert view.select(late=True, queue="sales") == []
    assert view.apply(msgspec.structs.replace(rows[2], revision=0)) is Verdict.OLDER
    assert len(view) == 3


def trend(start: int = 0, revision: int = 1, span: TrendSpan = TrendSpan.HOUR, **names: str) -> ContainmentRow:
    return ContainmentRow(
        tenant="acme", span=span, starts_at=start * QUARTER, revision=revision, contacts=1, contained=1, assisted=0,
        escalated=0, abandoned=0, containment=1.0, low=0.2, high=1.0, updated_at=1, **names,
    )  # fmt: skip


def test_the_rolling_window_has_one_row_which_moves_and_an_hour_keeps_its_own() -> None:
    view = Views().containment
    window = TrendSpan.MINUTES_5
    for row in (trend(4), trend(8), trend(1, 2, window), trend(9, 3, window)):
        assert view.apply(row) is Verdict.APPLIED
    assert view.apply(trend(1, 2, window)) is Verdict.OLDER
    assert [(row.span, row.starts_at // QUARTER) for row in view.select()] == [
        (TrendSpan.HOUR, 4), (TrendSpan.HOUR, 8), (window, 9),
    ]  # fmt: skip
    assert len(view) == 3


def test_an_older_row_of_an_hour_is_ignored_and_filters_of_containment_leave_their_own() -> None:
    view = Views().containment
    rows = [trend(), trend(queue="billing"), trend(intent="refund"), trend(1)]
    for row in rows:
        view.apply(row)
    assert view.apply(trend(revision=0)) is Verdict.OLDER
    assert view.select(by=By.ALL, to_micros=QUARTER) == [rows[0]]
    assert view.select(by=By.QUEUE) == view.select(queue="billing") == [rows[1]]
    assert view.select(by=By.INTENT) == view.select(intent="refund") == [rows[2]]
    assert view.select(from_micros=QUARTER) == [rows[3]]


def test_a_breaker_shows_its_highest_epoch_and_keeps_its_history_in_order() -> None:
    view = BreakerView()
    assert view.apply(transition(2, BreakerState.HALF_OPEN)) is Verdict.APPLIED
    assert view.apply(transition(1, BreakerState.OPEN)) is Verdict.OLDER
    view.apply(transition(2, BreakerState.HALF_OPEN))
    assert [t.to_state for t in view.latest()] == [BreakerState.HALF_OPEN]
    assert [t.epoch for t in view.history("acme", "nova") or ()] == [1, 2]
    assert view.latest(state=BreakerState.OPEN) == []


def test_a_history_keeps_the_latest_transitions_only() -> None:
    view = BreakerView(history_length=3)
    for epoch in (1, 2, 3, 4, 5, 1):
        view.apply(transition(epoch))
    assert [t.epoch for t in view.history("acme", "nova") or ()] == [3, 4, 5]


def test_a_time_that_cannot_be_written_is_refused_and_changes_nothing() -> None:
    views = Views()
    with pytest.raises(RecordError, match=r"VolumeRow\.updated_at"):
        views.apply(msgspec.structs.replace(volume(), updated_at=MAX_MICROS + 1))
    assert dict(views.sizes())["volume"] == 0


def test_an_event_that_no_view_shows_is_refused() -> None:
    with pytest.raises(RecordError, match="Tick"):
        Views().apply(Tick(key="acme", now=1))


VOLUME_0 = Place("wfm.volume", 0)


def test_a_partition_counts_as_read_only_when_what_was_handed_out_is_applied() -> None:
    #  end 5:  0 1 2 are records, 3 is an aborted one, 4 a transaction marker
    progress = Progress({VOLUME_0: 5})
    progress.handed(VOLUME_0, 2)
    progress.at(VOLUME_0, 5)
    assert not progress.ready
    progress.applied(VOLUME_0, 1)
    assert progress.behind() == [Behind(VOLUME_0, end=5, position=5)]
    progress.applied(VOLUME_0, 2)
    assert progress.ready


def test_a_partition_of_nothing_but_aborted_records_is_read_when_the_reader_has_passed_them() -> None:
    progress = Progress({VOLUME_0: 3, Place("wfm.staffing", 0): 0})
    assert progress.waiting == (VOLUME_0,)
    progress.at(VOLUME_0, 2)
    assert not progress.ready
    progress.at(VOLUME_0, 3)
    assert progress.ready


def test_applying_every_record_is_not_enough_while_the_reader_stands_before_the_end() -> None:
    progress = Progress({VOLUME_0: 5})
    progress.handed(VOLUME_0, 2)
    progress.applied(VOLUME_0, 2)
    progress.at(VOLUME_0, 3)
    assert not progress.ready


def test_a_record_from_before_start_rebuilds_and_a_later_one_is_live() -> None:
    progress = Progress({VOLUME_0: 5})
    assert not progress.is_live(VOLUME_0, 4)
    assert progress.is_live(VOLUME_0, 5)
    assert progress.is_live(Place("wfm.volume", 7), 0)


def test_the_breaker_of_a_version_stands_beside_the_endpoints_own() -> None:
    view = BreakerView()
    for epoch, version, state in ((1, "8", BreakerState.OPEN), (2, None, BreakerState.DEGRADED)):
        view.apply(msgspec.structs.replace(transition(epoch, state), version=version))
    assert [(last.version, last.to_state) for last in view.latest()] == [
        (None, BreakerState.DEGRADED), ("8", BreakerState.OPEN),
    ]  # fmt: skip
    known = view.history(transition(1).tenant, transition(1).endpoint)
    assert known is not None
    assert [each.epoch for each in known] == [1, 2]
