"""What explains a fall in containment: within intents, or by their mix."""

from __future__ import annotations

import pytest

from processors.analytics.logic.explain import decompose, describe, explain
from processors.analytics.logic.fall import OTHER, Fall

MARCH_1ST = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z


def fall(before, after) -> Fall:
    return Fall(before, after, MARCH_1ST, MARCH_1ST + 600_000_000)


def test_an_intent_that_got_worse_explains_a_fall_within_it() -> None:
    #  refund: half of all contacts, contained 90 % then 60 %; balance: as before
    before = {"refund": [500, 50], "balance": [500, 50]}
    after = {"refund": [50, 20], "balance": [50, 5]}
    why = explain(fall(before, after))
    assert (why.before, why.after) == (pytest.approx(0.9), pytest.approx(0.75))
    assert (why.within, why.mix) == (pytest.approx(0.15), pytest.approx(0.0))
    (cause,) = why.causes
    assert (cause.intent, cause.within, cause.mix) == ("refund", pytest.approx(0.15), pytest.approx(0.0))
    assert (cause.containment, cause.share) == (pytest.approx((0.9, 0.6)), pytest.approx((0.5, 0.5)))
    said = describe(fall(before, after), why)
    assert said == (
        "containment fell from 90.0 % to 75.0 %: 100 AI contacts since 2026-03-01T09:00:00Z against the 1000 that the "
        "baseline rests on. Mostly changes within intents: 100.0 % within, 0.0 % mix. 100.0 % of the fall is refund "
        "100.0 % (within 100.0 %: contained 90.0 % to 60.0 %; mix 0.0 %: share of contacts 50.0 % to 50.0 %)."
    )


def test_more_contacts_of_a_hard_intent_explain_a_fall_by_the_mix() -> None:
    #  disputes, contained 40 %, go from a tenth of all contacts to four tenths; no intent got worse
    before = {"dispute": [100, 60], "balance": [900, 90]}
    after = {"dispute": [40, 24], "balance": [60, 6]}
    why = explain(fall(before, after))
    assert (why.within, why.mix) == (pytest.approx(0.0), pytest.approx(0.15))
    assert [(cause.intent, cause.mix) for cause in why.causes] == [
        ("dispute", pytest.approx(0.1125)),  # more of what is hard
        ("balance", pytest.approx(0.0375)),  # fewer of what is easy
    ]
    assert "Mostly a changed mix of intents: 0.0 % within, 100.0 % mix." in describe(fall(before, after), why)


def test_an_intent_that_was_not_there_before_is_mix_alone() -> None:
    (first, *_) = decompose({"balance": [100, 10]}, {"balance": [50, 5], "new": [50, 50]})
    assert (first.intent, first.within) == ("new", 0.0)
    assert first.share == (0.0, 0.5)


def test_at_most_five_are_named_and_what_they_explain_is_said() -> None:
    before = {f"intent-{number}": [100, 10] for number in range(10)}
    after = {f"intent-{number}": [100, 20 + number] for number in range(10)}
    made = fall(before, after)
    why = explain(made)
    assert [cause.intent for cause in why.causes] == [f"intent-{number}" for number in (9, 8, 7, 6, 5)]
    assert "58.6 % of the fall is intent-9 13.1 %" in describe(made, why)


def test_intents_are_named_until_they_explain_four_fifths_and_none_that_got_better() -> None:
    before = {"a": [100, 10], "b": [100, 10], "c": [100, 10], "d": [100, 10]}
    after = {"a": [100, 50], "b": [100, 30], "c": [100, 15], "d": [100, 0]}
    assert [cause.intent for cause in explain(fall(before, after)).causes] == ["a", "b"]


def test_intents_that_are_not_told_apart_are_named_so() -> None:
    made = fall({OTHER: [100, 10], "a": [100, 10]}, {OTHER: [100, 40], "a": [100, 10]})
    assert "is all other intents 100.0 %" in describe(made, explain(made))


def test_what_is_no_fall_is_explained_by_nothing() -> None:
    made = fall({"a": [100, 20]}, {"a": [100, 10]})
    assert explain(made).causes == ()
    assert describe(made, explain(made)).endswith("baseline rests on.")
