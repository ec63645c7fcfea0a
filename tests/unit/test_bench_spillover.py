"""The simulated outage: nothing is lost, each measure does what it says, and the figures are what they are called."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import spillover
from bench.spill import day
from bench.spill.day import Brought, Days, contacts, made_up, peak, staffed
from bench.spill.figures import fates, figures, spread, waits_over_time
from bench.spill.outage import Outage, Outcome, Sample
from bench.spill.people import Contact, Fate, Line, LostContactError, People, Place
from bench.spill.product import Trunkline
from bench.spill.setting import AI_INTENTS, CONFIDENCE, PEOPLE_INTENT, TENANT, Setting, measures, policy_of
from processors.staffing.logic.erlang import agents_required
from runtime.errors import SettingsError
from schemas.fields import MICROS_PER_SECOND, BreakerState, Channel, Disposition
from schemas.interactions import Classification, Offered
from schemas.policy_check import check_policy

SECOND = MICROS_PER_SECOND
SHORT = Setting(warm_seconds=1800.0, after_seconds=7200.0)
ARRIVALS = Days(made_up(), "made up")
MEASURES = {measure.name: measure for measure in measures(SHORT)}


def ran(name: str, seed: int = 1, **changes: Any) -> Outcome:
    setting = dataclasses.replace(SHORT, **changes)
    measure = next(each for each in measures(setting) if each.name == name)
    return Outage(measure, setting, ARRIVALS, seed).run()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {name: ran(name) for name in MEASURES}


def brought(**changes: Any) -> Brought:
    base = Brought(0, Channel.VOICE, "standard", PEOPLE_INTENT, 300.0, 300.0, 180.0, 0.5)
    return base._replace(**changes)


def waited(name: str, seconds: float, *, fate: Fate = Fate.ANSWERED, since: int = 0, **about: Any) -> Contact:
    """A contact that sought a person at `since` and was answered, or left, so many seconds later."""
    contact = Contact(name, brought(arrives_at=since, **about), name, sought_at=since)
    contact.end(fate, since + round(seconds * SECOND))
    if fate is Fate.ANSWERED:
        contact.answered_at = contact.ended_at
    return contact


# Nothing disappears.


@pytest.mark.parametrize("name", MEASURES)
def test_each_contact_offered_has_one_fate_or_is_under_way(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    counted = Counter(each.fate for each in outcome.contacts)

    under_way = [each for each in outcome.contacts if each.fate is None]

    assert len(outcome.contacts) == sum(counted[fate] for fate in Fate) + len(under_way)
    assert all(each.place is not Place.NOWHERE for each in under_way)
    assert len({each.id for each in outcome.contacts}) == len(outcome.contacts)


def test_who_was_deflected_and_not_helped_is_offered_again(outcomes: dict[str, Outcome]) -> None:
    every = outcomes["all"].contacts
    again = [each for each in every if each.customer != each.id]
    to_come = sum(each.fate is Fate.CAME_AGAIN for each in every)

    assert 0 < len(again) <= to_come
    assert {each.customer for each in again} <= {each.id for each in every if each.fate is Fate.CAME_AGAIN}


@pytest.mark.parametrize("place", ["_buffer", "_with_ai", "_talking"])
def test_a_contact_that_is_dropped_on_the_way_is_noticed(place: str) -> None:
    outage = Outage(MEASURES["metering"], SHORT, ARRIVALS, 1)
    outage.run()
    kept = getattr(outage, place)
    kept["c-lost"] = Contact("c-lost", brought())

    with pytest.raises(LostContactError, match="offered, but"):
        outage.check()


def test_a_return_that_is_forgotten_is_noticed() -> None:
    outage = Outage(MEASURES["all"], SHORT, ARRIVALS, 1)
    outage.run()
    outage._to_come_again += 1

    with pytest.raises(LostContactError, match="were to come again"):
        outage.check()


def test_a_contact_has_no_second_fate() -> None:
    contact = waited("c-1", 10.0)

    with pytest.raises(LostContactError, match="c-1 is answered and was to go to nowhere"):
        contact.end(Fate.ABANDONED, SECOND)

    assert contact.fate is Fate.ANSWERED


# What each measure does.


def test_all_measures_meet_the_same_contacts(outcomes: dict[str, Outcome]) -> None:
    firsts = [[each.brought for each in outcome.contacts if each.customer == each.id] for outcome in outcomes.values()]

    assert len(firsts[0]) > 2000
    assert firsts[0] == firsts[1] == firsts[2]


def test_a_seed_gives_the_same_day_again_and_another_seed_another() -> None:
    one, again, other = (figures(ran("metering", seed, after_seconds=600.0)) for seed in (1, 1, 2))

    assert one == again
    assert one != other


def test_without_a_measure_nobody_is_held_deflected_or_called_back(outcomes: dict[str, Outcome]) -> None:
    met = {each.fate for each in outcomes["none"].contacts} - {None}

    assert met == {Fate.AI, Fate.ANSWERED, Fate.ABANDONED}
    assert not any(each.held for each in outcomes["none"].contacts)


def test_metering_holds_those_for_whom_there_is_no_room(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["metering"]
    held = [each for each in outcome.contacts if each.held]

    assert len(held) > 0.9 * sum(each.displaced and not each.handed_over for each in outcome.contacts) > 0
    assert not any(each.held for each in outcome.contacts if each.brought.intent == PEOPLE_INTENT)
    assert max(sample.buffer for sample in outcome.samples) > 0
    assert {each.fate for each in held} <= {Fate.ANSWERED, Fate.ABANDONED, None}


def test_with_everything_callers_are_called_back_and_low_priority_is_deflected(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["all"]
    spilled = [each for each in outcome.contacts if each.displaced and not each.handed_over]
    basic = [each for each in spilled if each.brought.segment == "basic"]

    assert {each.fate for each in basic} <= {Fate.RESOLVED, Fate.CAME_AGAIN, Fate.ANSWERED, Fate.ABANDONED}
    assert sum(each.fate in (Fate.RESOLVED, Fate.CAME_AGAIN) for each in basic) > 0.9 * len(basic) > 0
    called = [each for each in spilled if each.callback_since is not None]
    assert called
    assert all(each.brought.channel is Channel.VOICE for each in called)
    assert not any(each.held for each in spilled if each.brought.channel is Channel.VOICE)


def test_callbacks_wait_for_the_outage_to_end_and_go_out_by_priority(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["all"]
    called = [each for each in outcome.contacts if each.callback_since and each.answered_at is not None]

    assert called
    assert min(each.answered_at or 0 for each in called) >= outcome.back_at
    ordered = sorted(called, key=lambda each: each.answered_at or 0)
    first = [each.priority for each in ordered if (each.callback_since or 0) < outcome.back_at]
    assert first == sorted(first, reverse=True)


def test_metering_keeps_the_service_of_the_contacts_that_are_peoples_own(outcomes: dict[str, Outcome]) -> None:
    found = {name: figures(outcome) for name, outcome in outcomes.items()}

    assert (found["metering"]["own_service_level"] or 0.0) > (found["none"]["own_service_level"] or 0.0) + 0.2
    assert (found["metering"]["own_abandoned"] or 0.0) < (found["none"]["own_abandoned"] or 0.0) - 0.2
    assert (found["all"]["customers_helped"] or 0.0) > (found["none"]["customers_helped"] or 0.0) + 0.1


def test_conversations_that_ai_had_at_the_outage_go_to_people_at_once(outcomes: dict[str, Outcome]) -> None:
    # AI's share of the peak, 180 s each and 20 s until the breakers open: some 70.
    for outcome in outcomes.values():
        thrown = [each for each in outcome.contacts if each.handed_over]
        assert 40 < len(thrown) < 110
        assert {each.sought_at for each in thrown} == {outcome.out_at + 20 * SECOND}
        assert not any(each.fate is Fate.AI or each.held for each in thrown)


# The product in between.


def offered(number: int, segment: str = "standard", intent: str = AI_INTENTS[0]) -> Offered:
    found = Classification(intent=intent, confidence=CONFIDENCE, model="m")
    return Offered(
        interaction_id=f"c-{number}", tenant=TENANT, channel=Channel.CHAT, text="", segment=segment,
        classification=found, occurred_at=0,
    )  # fmt: skip


@pytest.mark.parametrize("name", MEASURES)
def test_the_policies_are_policies(name: str) -> None:
    check_policy(policy_of(MEASURES[name].spillover, SHORT, 0))


def test_recovery_is_a_ramp() -> None:
    at = 1_000_000 * SECOND
    product = Trunkline(MEASURES["none"].spillover, SHORT, at)
    product.staff(50, at, at + 3600 * SECOND)

    def with_ai(now: int) -> float:
        return sum(product.decide(offered(number), now).endpoint is not None for number in range(1000)) / 1000

    assert with_ai(at) == 1.0
    product.moves(BreakerState.OPEN, 1, [("ada", AI_INTENTS[0], 5.0), ("bell", AI_INTENTS[0], 5.0)], at)
    assert with_ai(at + SECOND) == 0.0
    closed = at + 60 * SECOND
    product.moves(BreakerState.CLOSED, 2, (), closed)
    # Two agents, each with its share of 0.2 to begin with: 1 - 0.8 * 0.8 have one of the two.
    assert with_ai(closed) == pytest.approx(0.36, abs=0.06)
    assert with_ai(closed + 30 * SECOND) == pytest.approx(0.84, abs=0.06)
    assert with_ai(closed + 60 * SECOND) == 1.0


def test_people_get_as_many_displaced_contacts_as_staffing_says_and_no_more() -> None:
    # 240 people without a load of their own can have 40.8 contacts a minute (at an occupancy of 0.85): 3.4 in 5 s.
    at = 1_000_000 * SECOND
    product = Trunkline(MEASURES["metering"].spillover, dataclasses.replace(SHORT, partitions=1), at)
    product.staff(240, at, at + 3600 * SECOND)
    product.moves(BreakerState.OPEN, 1, [("ada", AI_INTENTS[0], 50.0), ("bell", AI_INTENTS[0], 50.0)], at)
    product.tick(at + SECOND)

    taken = [product.decide(offered(number, "vip"), at + 2 * SECOND).disposition for number in range(40)]

    assert taken == [Disposition.ROUTE] * 3 + [Disposition.HOLD] * 37


# Arrivals and people.


def arrivals_file(folder: Path, *lines: str) -> Path:
    path = folder / day.FILE
    path.write_text("\n".join(("interval_start,calls", *lines)) + "\n")
    return path


def test_the_busiest_day_is_the_one_with_most_calls_that_has_a_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals_file(
        tmp_path, "1999-01-01T10:00,5", "1999-01-02T10:00,4", "1999-01-02T10:30,4", "1999-01-03T10:00,3",
        "1999-01-09T10:00,90",
    )  # fmt: skip
    monkeypatch.setenv(day.FOLDER, str(tmp_path))

    found = day.days()

    assert [each.calls for each in found.intervals] == [4, 4, 3]
    assert "1999-01-02" in found.source


def test_a_folder_without_the_file_is_an_error_that_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(day.FOLDER, str(tmp_path))

    with pytest.raises(SettingsError, match=rf"{day.FOLDER} names .*no {day.FILE}"):
        day.days()


@pytest.mark.parametrize("lines", [("yesterday,1",), ("1999-01-01T10:00,many",), ("1999-01-01T10:00,1",), ()])
def test_a_file_that_is_of_no_use_is_an_error(tmp_path: Path, lines: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match=day.FILE):
        day.busiest(arrivals_file(tmp_path, *lines))


def test_without_a_folder_the_day_is_made_up_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(day.FOLDER, raising=False)

    found = day.days()

    assert day.FOLDER in found.source
    assert 1500 < sum(each.calls for each in found.intervals[:48]) < 2500  # as the bank's busiest day: 2,202


def test_the_peak_is_the_busiest_hour() -> None:
    intervals = made_up()
    start = peak(intervals, 3600.0)

    hours = [one.calls + other.calls for one, other in itertools.pairwise(intervals[:48])]
    assert start == intervals[hours.index(max(hours))].start


def test_people_are_as_many_as_erlang_c_asks_for_their_own_load() -> None:
    interval = made_up()[20]
    per_minute = interval.calls * SHORT.scale * 0.3 / 30.0

    [(start, people)] = staffed([interval], SHORT)

    assert start == interval.start
    assert people == agents_required(per_minute, 300.0, 0.8, 20.0, 0.85).agents


def test_contacts_are_as_assumed() -> None:
    start = ARRIVALS.intervals[0].start
    drawn = list(contacts(ARRIVALS.intervals, SHORT, 3, start, start + int(timedelta(days=1).total_seconds()) * SECOND))
    count = len(drawn)

    def share(test: Any) -> float:
        return sum(map(test, drawn)) / count

    assert share(lambda each: each.intent in AI_INTENTS) == pytest.approx(0.7, abs=0.02)
    assert share(lambda each: each.channel is Channel.VOICE) == pytest.approx(0.6, abs=0.02)
    assert share(lambda each: each.segment == "vip") == pytest.approx(0.1, abs=0.02)
    assert sum(each.handle_seconds for each in drawn) / count == pytest.approx(300.0, rel=0.05)
    assert [each.arrives_at for each in drawn] == sorted(each.arrives_at for each in drawn)


# The line.


def test_a_line_goes_by_priority_then_by_turn_and_passes_over_who_has_left() -> None:
    line = Line(Place.LINE)
    plain, left, second, vip = (Contact(name, brought()) for name in ("plain", "left", "second", "vip"))
    vip.priority = 10
    for contact in (left, plain, second, vip):
        line.enter(contact)
    left.end(Fate.ABANDONED, SECOND)

    assert len(line) == 3
    assert [line.first(), line.first(), line.first(), line.first()] == [vip, plain, second, None]


def test_callbacks_leave_a_share_of_the_people_free() -> None:
    people = People()
    people.seated, people.busy = 40, 37
    people.callbacks.enter(Contact("c-1", brought()))

    assert people.next_callback(0.1) is None
    people.busy = 35
    assert people.next_callback(0.1) is not None
    assert people.busy == 36


def test_who_is_to_go_home_finishes_first() -> None:
    people = People()
    people.seated, people.busy = 3, 5
    people.line.enter(Contact("c-1", brought()))

    assert people.idle() == 0
    assert people.next() is None


# The figures.


def test_waiting_abandonment_and_service_level_are_of_all_who_sought_a_person_in_the_outage() -> None:
    #  out at 0 ----------------- back at 100 s
    #  10 s answered, 20 s answered, 30 s answered, left after 60 s; and one after the outage
    waits = [waited("a", 10.0), waited("b", 20.0), waited("c", 30.0), waited("d", 60.0, fate=Fate.ABANDONED)]
    outcome = Outcome([*waits, waited("e", 500.0, since=200 * SECOND)], [Sample(0, 3, 4, 1)], 0, 100 * SECOND)

    found = figures(outcome)

    assert found["sought_a_person"] == 4
    assert found["wait_mean_seconds"] == 30.0
    assert found["wait_p95_seconds"] == 60.0
    assert found["abandoned"] == 0.25
    assert found["service_level"] == 0.5
    assert found["peak_waiting"] == 7
    assert found["customers_helped"] == 0.75
    assert found["next_hour_sought_a_person"] == 1
    assert found["displaced_wait_mean_seconds"] is None


def test_a_customer_who_comes_again_counts_by_the_last_contact() -> None:
    first, second = waited("a", 0.0, fate=Fate.CAME_AGAIN), waited("b", 5.0, since=900 * SECOND)
    second.customer = "a"
    outcome = Outcome([first, second], [Sample(0, 0, 0, 0)], 0, 100 * SECOND)

    assert figures(outcome)["customers_helped"] == 1.0
    assert fates(outcome)["outage"] == {"offered": 1, "self_service_came_again": 1}
    assert fates(outcome)["run"]["offered"] == 2


def test_lines_are_back_to_normal_when_five_minutes_are_as_before() -> None:
    out_at, back_at = 3600 * SECOND, 7200 * SECOND

    def length(second: int) -> int:
        if second < 3600:
            return 4
        return 50 if second < 7200 + 600 else 4

    samples = [Sample(at * SECOND, length(at), 0, 0) for at in range(0, 10_000, 10)]

    found = figures(Outcome([], samples, out_at, back_at))["normal_after_minutes"]

    assert found == pytest.approx(14.8, abs=0.1)  # ten minutes of 50, and five until the mean forgets them
    never = [Sample(at * SECOND, 4 if at < 3600 else 50, 0, 0) for at in range(0, 10_000, 10)]
    assert figures(Outcome([], never, out_at, back_at))["normal_after_minutes"] is None


def test_waits_over_time_are_by_when_a_person_was_sought() -> None:
    contacts_of = [waited("a", 10.0), waited("b", 30.0), waited("c", 7.0, since=10 * SECOND)]
    outcome = Outcome(contacts_of, [], 0, 100 * SECOND)

    assert waits_over_time(outcome, [0, 5 * SECOND, 10 * SECOND], 5 * SECOND) == [20.0, None, 7.0]


def test_a_figure_that_some_runs_lack_is_spread_over_the_others() -> None:
    found = spread([{"a": 1.0, "b": None}, {"a": 3.0, "b": None}, {"a": 2.0, "b": 5.0}])

    assert found["a"] == {"median": 2.0, "lowest": 1.0, "highest": 3.0}
    assert found["b"]["median"] == 5.0


# The report.


def test_the_report_has_three_measures_in_its_table_its_file_and_its_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {
        name: [spillover.simulated(measure, SHORT, ARRIVALS, seed) for seed in (1, 2)]
        for name, measure in MEASURES.items()
    }

    report = spillover.report(SHORT, ARRIVALS, runs)
    report.publish(tmp_path)

    data = json.loads((tmp_path / "spillover.json").read_text())
    assert list(data["measures"]) == ["none", "metering", "all"]
    none = data["measures"]["none"]
    assert none["figures"]["abandoned"]["lowest"] <= none["figures"]["abandoned"]["highest"]
    assert sum(count for name, count in none["contacts"]["run"].items() if name != "offered") == pytest.approx(
        none["contacts"]["run"]["offered"], abs=2
    )
    assert data["assumptions"]["resolved_by_self_service"] == SHORT.resolved_by_self_service
    assert len(data["over_time"]["hours_from_outage"]) == len(data["over_time"]["all"]["waiting"])
    assert (tmp_path / "spillover.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("metering, deflection, callback", "vip wait mean", "self service resolved"))


def test_arrivals_that_are_made_up_have_two_days_alike() -> None:
    intervals = made_up()

    assert len(intervals) == 96
    assert [each.calls for each in intervals[:48]] == [each.calls for each in intervals[48:]]
    assert intervals[48].start - intervals[0].start == 86_400 * SECOND
