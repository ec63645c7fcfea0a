"""The arithmetic of the benchmarks of latency and scale, without a stopwatch: schedules, percentiles and lags."""

from __future__ import annotations

import numpy as np
import pytest

from bench import latency, scale
from bench.child import Generator
from bench.contacts import INTENTS
from bench.lag import Ends, Lag
from bench.latency import Case, Repetition, latencies
from bench.openloop import Sent, lateness, percentile, schedule
from bench.receipts import Receipts
from bench.scale import Size, sizes
from bench.subject import Run, SubjectError
from bench.system import STATEFUL, ServiceLoad, SystemLoad
from bench.traffic import Written
from trunkline.installation import SERVICES

# The schedule.


def test_a_schedule_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    again = schedule(1_000, 5, seed=3)

    assert np.array_equal(schedule(1_000, 5, seed=3), again)
    assert not np.array_equal(schedule(1_000, 5, seed=4)[:100], again[:100])


def test_a_schedule_fills_its_time_in_order_at_its_rate() -> None:
    arrivals = schedule(2_000, 10, seed=1)

    assert (np.diff(arrivals) >= 0).all()
    assert 0 <= arrivals[0] < 0.1
    assert 9.9 < arrivals[-1] < 10
    assert len(arrivals) == pytest.approx(20_000, abs=5 * 20_000**0.5)  # a Poisson count: its deviation is the root


def test_lateness_counts_from_the_instant_that_was_due_for_every_record_of_a_batch() -> None:
    # due  0.1 0.2 0.3 | 0.4
    # sent         0.35 | 0.4
    late = lateness(np.array([0.1, 0.2, 0.3, 0.4]), [(3, 0.35), (4, 0.4)])

    assert late == pytest.approx([0.25, 0.15, 0.05, 0.0])


# Children.


def child(tmp_path, monkeypatch, *lines: str) -> Generator:
    (tmp_path / "stand_in.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Generator(["stand_in"])


def test_a_child_is_told_when_to_begin_once_it_is_ready_and_says_what_it_did(tmp_path, monkeypatch) -> None:
    with child(tmp_path, monkeypatch, 'print("ready", flush=True)', "print(float(input()) * 2)") as started:
        started.wait_ready()

        assert started.begin(at=21.5) == 21.5
        assert started.end() == "43.0\n"


def test_a_child_that_ends_before_it_is_ready_is_an_error_with_its_exit_code(tmp_path, monkeypatch) -> None:
    with child(tmp_path, monkeypatch, "raise SystemExit(3)") as started, pytest.raises(SubjectError, match="code 3"):
        started.wait_ready()


# Percentiles.


def test_a_percentile_is_a_value_that_occurred_and_that_the_share_does_not_exceed() -> None:
    values = np.arange(1.0, 1001.0)

    assert percentile(values, 0.5) == 500
    assert percentile(values, 0.99) == 990
    assert percentile(values, 0.999) == 999
    assert percentile(np.array([7.0]), 0.99) == 7


# Receipts.


def test_latency_counts_from_the_schedule_and_a_contact_that_came_twice_counts_with_its_first() -> None:
    # number      0    1    2    3
    # due       0.0  1.0  2.0  3.0
    # received  0.5  1.2    -  3.3, and 1 once more at 4.0
    receipts = Receipts(np.array([0, 1, 3, 1]), np.array([100.5, 101.2, 103.3, 104.0]))

    waits, lost, doubled = latencies(receipts, np.array([0.0, 1.0, 2.0, 3.0]), start=100.0, warm_up_seconds=0.9)

    assert waits == pytest.approx([0.2, 0.3])
    assert (lost, doubled) == (1, 1)


def test_receipts_are_stored_and_read_again(tmp_path) -> None:
    Receipts(np.array([2, 1]), np.array([0.5, 0.75])).save(tmp_path / "receipts.npz")

    stored = latency.load_receipts(tmp_path / "receipts.npz")

    assert stored.numbers.tolist() == [2, 1]
    assert stored.instants.tolist() == [0.5, 0.75]


# Lag.


def ends(*looks: tuple[float, int]) -> Ends:
    seen = Ends()
    for instant, end in looks:
        seen.note(instant, end)
    return seen


def test_a_service_that_has_read_all_does_not_lag_whatever_markers_lie_behind() -> None:
    assert ends((0, 0), (1, 100)).lag(100) == Lag(0, 0.0)
    assert ends((0, 0), (1, 100)).lag(97) == Lag(0, 0.0)


def test_a_lag_is_the_age_of_the_oldest_record_that_waits() -> None:
    # seconds     0    1    2    3    4
    # end       100  200  300  400  500
    seen = ends((0, 100), (1, 200), (2, 300), (3, 400), (4, 500))

    assert seen.lag(300) == Lag(200, 2.0)
    assert seen.lag(250) == Lag(250, 2.5)


def test_a_quiet_hour_before_the_oldest_waiting_record_is_no_lag() -> None:
    # The end stood still at 100 until second 3600.
    seen = ends((0, 100), (3600, 100), (3601, 200))

    assert seen.lag(150) == Lag(50, 0.5)


def test_what_lay_there_before_the_first_look_is_as_old_as_that_look() -> None:
    assert ends((10, 500), (12, 600)).lag(0) == Lag(600, 2.0)


# Reports.


def repetition(p99_ms: float) -> Repetition:
    waits = np.array([1.0, p99_ms])
    return latency._repetition(waits, 1000.0, 0, 0, Sent(2, 0.5, 1.0), {"router": 0.4})


def test_the_latency_json_has_medians_by_delivery_and_load() -> None:
    runs = {
        Case(delivery, load, 1000.0): [repetition(p99) for p99 in (10.0, 30.0, 20.0)]
        for delivery in latency.DELIVERIES
        for load in latency.LOADS
    }

    fields = latency.report([5000.0, 6000.0, 7000.0], runs).as_json()

    assert fields["rate_per_second"] == 6000
    for delivery in ("exactly_once", "at_least_once"):
        assert list(fields[delivery]) == ["0.2", "0.5", "0.8"]
        assert fields[delivery]["0.5"]["p99_ms"] == 20
        assert {"p50_ms", "p999_ms", "max_ms", "lost", "doubled", "cpu_share"} <= set(fields[delivery]["0.5"])


def system_load(per_second: float, **lags: float) -> SystemLoad:
    services = {name: ServiceLoad(per_second, 0.1, 100.0, lags.get(name, 0.1), 0.1, 0.1) for name in SERVICES}
    return SystemLoad(per_second, services, {"broker": 0.5}, Written(1, 6, 1, 0, 1.0, 1.0))


def test_the_first_stateful_service_to_pass_two_seconds_is_named_with_the_rates_on_both_sides() -> None:
    loads = [system_load(300, sessions=1.9), system_load(400, sessions=2.5, health=3.0, router=9.0)]
    runs = {size: [Run(size.name, 1000, 100.0, dict.fromkeys(("subject", "broker", "redis"), 0.1), 150.0, 0, 0)]
            for size in sizes(quick=False)}  # fmt: skip

    system = scale.report(runs, loads).as_json()["system"]

    assert system["holds_per_second"] == 300
    assert system["passes_per_second"] == 400
    assert system["first_to_lag"] == "health"
    assert "router" not in STATEFUL


def test_the_common_size_is_measured_once_and_stands_in_every_curve() -> None:
    taken = sizes(quick=False)
    runs = {size: [Run(size.name, 1000, 100.0, {"subject": size.count / 1000, "broker": 0.1, "redis": 0.1}, 1.0, 0, 0)]
            for size in taken}  # fmt: skip

    fields = scale.report(runs, [system_load(100)]).as_json()

    assert len(set(taken)) == len(taken) == 10
    assert list(fields["tenants"]) == ["1", "10", "100", "1000"]
    assert list(fields["intents"]) == ["25", str(INTENTS), "500", "1000"]
    assert fields["tenants_cpu_ratio"] == pytest.approx(1000)
    assert Size("processes", 1).name == "1 process"
