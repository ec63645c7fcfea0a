"""What holds of every proposal of thresholds, whatever the outcomes and the costs."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from router.thresholds.cells import fit, table_of
from router.thresholds.costs import Costs, cheapest, least_resolved
from router.thresholds.curve import CONFIDENCES
from router.thresholds.fit import Proposal, Standing, propose
from router.thresholds.outcomes import Outcome
from schemas.control import ThresholdRow
from schemas.fields import Channel
from schemas.interactions import Thresholds

some = settings(max_examples=40, deadline=None)
many = settings(max_examples=100, deadline=None)

INTENTS, CHANNELS, SEGMENTS = ("loan", "card"), (Channel.CHAT, Channel.VOICE), ("standard", "gold")
confidences = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.5, 0.75, 1.0]))
outcome_lists = st.lists(
    st.builds(
        Outcome,
        st.sampled_from(INTENTS),
        st.sampled_from(CHANNELS),
        st.sampled_from(SEGMENTS),
        confidences,
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)
amounts = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, 1.0, 5.0]))
prices = st.builds(Costs, wrong=amounts, human=amounts, escalation=amounts, watching=amounts, ai=amounts)
curves = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6).map(
    lambda levels: np.sort(np.array(levels))[np.linspace(0, len(levels) - 1, CONFIDENCES.size).astype(int)]
)


@st.composite
def standings(draw: st.DrawFn) -> Standing | None:
    if draw(st.booleans()):
        return None
    names = draw(
        st.sets(
            st.tuples(
                st.none() | st.sampled_from(INTENTS), st.none() | st.sampled_from(CHANNELS), st.none() | st.just("gold")
            ),
            max_size=4,
        )
    )
    rows = []
    for intent, channel, segment in sorted(names, key=str):
        assisted, contained = sorted([draw(confidences), draw(confidences)])
        rows.append(
            ThresholdRow(intent=intent, channel=channel, segment=segment, contained=contained, assisted=assisted)
        )
    assisted, contained = sorted([draw(confidences), draw(confidences)])
    return Standing(Thresholds(contained=contained, assisted=assisted), tuple(rows))


def every(proposal: Proposal):
    return (proposal.thresholds, *proposal.rows)


@some
@given(outcome_lists, prices, standings(), st.booleans())
def test_thresholds_are_in_order_inside_their_intervals_and_effects_add_up(
    outcomes: list[Outcome], costs: Costs, standing: Standing | None, extrapolate: bool
) -> None:
    proposal = propose(outcomes, costs, standing, extrapolate=extrapolate)
    for each in every(proposal):
        assert 0.0 <= each.assisted <= each.contained <= 1.0
        assert each.contained_interval[0] <= each.contained <= each.contained_interval[1]
        assert each.assisted_interval[0] <= each.assisted <= each.assisted_interval[1]
    for effect in (proposal.then, proposal.now):
        if effect is not None:
            assert effect.contacts == len(outcomes)
            assert abs(effect.contained + effect.assisted + effect.people - 1.0) < 1e-9
            assert effect.people <= effect.human_load <= 1.0 + 1e-9


@some
@given(outcome_lists, prices, standings(), st.randoms(use_true_random=False))
def test_the_order_of_outcomes_changes_nothing(
    outcomes: list[Outcome], costs: Costs, standing: Standing | None, rng: random.Random
) -> None:
    shuffled = list(outcomes)
    rng.shuffle(shuffled)
    assert propose(shuffled, costs, standing) == propose(outcomes, costs, standing)


@some
@given(outcome_lists)
def test_no_curve_ever_falls_or_leaves_what_is_probable(outcomes: list[Outcome]) -> None:
    fits = fit(table_of(outcomes))
    for curves_found, mean in zip(fits.levels, fits.means, strict=True):
        for curve in (mean, curves_found.draws(0, 8)):
            assert (np.diff(curve, axis=1) >= -1e-12).all()
            assert (curve >= 0.0).all()
            assert (curve <= 1.0).all()


@some
@given(outcome_lists, prices, st.floats(1.0, 5.0), amounts)
def test_a_dearer_wrong_answer_never_lowers_contained(
    outcomes: list[Outcome], costs: Costs, times: float, more: float
) -> None:
    dearer = dataclasses.replace(costs, wrong=costs.wrong * times + more)
    assert propose(outcomes, dearer).thresholds.contained >= propose(outcomes, costs).thresholds.contained


@many
@given(curves, prices, amounts)
def test_on_any_curve_a_dearer_wrong_answer_never_lowers_contained(
    curve: np.ndarray, costs: Costs, more: float
) -> None:
    dearer = dataclasses.replace(costs, wrong=costs.wrong + more)
    assert least_resolved(dearer).contained >= min(least_resolved(costs).contained, 1.0)
    assert cheapest(curve, dearer).contained >= cheapest(curve, costs).contained


@many
@given(curves, prices, st.lists(confidences, min_size=2, max_size=2).map(sorted))
def test_no_other_thresholds_cost_less_on_the_curve_that_they_are_from(
    curve: np.ndarray, costs: Costs, other: list[float]
) -> None:
    best = cheapest(curve, costs)
    found = costs.expected(curve, CONFIDENCES, np.array(best.contained), np.array(best.assisted))
    against = costs.expected(curve, CONFIDENCES, np.array(other[1]), np.array(other[0]))
    # Between two places of the grid a threshold is interpolated, so a place at a crossing may fall to either side.
    assert found.sum() <= against.sum() + 1e-9 * (1.0 + against.sum())


@some
@given(outcome_lists, prices, standings())
def test_nothing_goes_below_what_was_seen_in_its_cell_or_stands(
    outcomes: list[Outcome], costs: Costs, standing: Standing | None
) -> None:
    standing_least = 1.0
    if standing is not None:
        standing_least = min(pair.assisted for pair in (standing.thresholds, *standing.matrix))
    for each in every(propose(outcomes, costs, standing)):
        assert each.assisted >= min(each.lowest_seen, standing_least) - 1e-9
