"""Chats: several at once, each the slower the more there are."""

from __future__ import annotations

import math

import pytest

from processors.staffing.logic.erlang import ErlangInputError, Load, Targets, performance
from processors.staffing.logic.erlang.chat import Chats, chat_performance, chat_required

NAMES = ("wait_probability", "service_level", "asa_seconds", "occupancy", "abandonment")


@pytest.mark.parametrize("patience", [math.inf, 90.0])
def test_where_chats_do_not_slow_each_other_agents_are_so_many_servers(patience: float) -> None:
    found = chat_performance(Chats(12.0, (400.0, 400.0, 400.0), patience), 30)
    plain = performance(Load(12.0, 400.0, patience, concurrency=3), 30)
    for name in NAMES:
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9), name


@pytest.mark.parametrize("patience", [math.inf, 90.0])
def test_the_steady_state_is_that_of_its_rates(patience: float) -> None:
    # Two agents of two chats: 100 s alone, 160 s beside another; ends a second with 0, 1, ... chats:
    rate = 1.9 / 60
    theta = 0 if math.isinf(patience) else 1 / patience
    ends = [0, 1 / 100, 2 / 100, 1 / 100 + 2 / 160] + [4 / 160 + waiting * theta for waiting in range(3_000)]
    if not theta:
        rate = 1.2 / 60
    weights = [1.0]
    for end in ends[1:]:
        weights.append(weights[-1] * rate / end)
    total = sum(weights)
    found = chat_performance(Chats(rate * 60, (100.0, 160.0), patience), 2)
    waiting = sum(weight * at for at, weight in enumerate(weights[4:])) / total
    assert found.wait_probability == pytest.approx(sum(weights[4:]) / total)
    assert found.occupancy == pytest.approx(sum(w * min(at, 4) for at, w in enumerate(weights)) / total / 4)
    assert found.abandonment == pytest.approx(waiting * theta / rate)
    if not theta:
        assert found.asa_seconds == pytest.approx(waiting / rate)


def test_the_least_agents_meet_the_targets_and_one_fewer_does_not() -> None:
    chats, targets = Chats(20.0, (300.0, 380.0, 470.0), 120.0), Targets(0.9, 30.0, 0.95)
    agents = chat_required(chats, targets)
    found, fewer = chat_performance(chats, agents, 30.0), chat_performance(chats, agents - 1, 30.0)
    assert found.service_level >= 0.9
    assert found.occupancy <= 0.95
    assert fewer.service_level < 0.9 or fewer.occupancy > 0.95


def test_a_second_chat_saves_people_even_where_it_slows_the_first() -> None:
    alone, two = Chats(20.0, (300.0,)), Chats(20.0, (300.0, 450.0))
    assert chat_required(two) < chat_required(alone)


def test_without_chats_or_agents_the_edges_hold() -> None:
    assert chat_required(Chats(0.0, (300.0, 400.0))) == 0
    quiet, nobody = chat_performance(Chats(0.0, (300.0,)), 2), chat_performance(Chats(3.0, (300.0, 400.0), 60.0), 0)
    assert (quiet.wait_probability, quiet.service_level, quiet.occupancy) == (0, 1, 0)
    assert (nobody.service_level, nobody.abandonment, nobody.occupancy) == (0, 1, 1)


@pytest.mark.parametrize(
    ("chats", "named"),
    [
        (Chats(1.0, ()), "handle_seconds is empty"),
        (Chats(1.0, (100.0, -2.0)), r"handle_seconds is -2\.0"),
        (Chats(1.0, (100.0, 300.0)), "would end fewer an hour"),
        (Chats(-1.0, (100.0,)), r"contacts_per_minute is -1\.0"),
    ],
)
def test_chats_that_make_no_sense_are_named(chats, named) -> None:
    with pytest.raises(ErlangInputError, match=named):
        chat_performance(chats, 3)
