"""People who watch AI sessions: few enough at once, and enough of them."""

from __future__ import annotations

import numpy as np
import pytest

from processors.staffing.logic.erlang import ErlangInputError, erlang_b
from processors.staffing.logic.erlang.supervision import Watched, supervisors_required, unwatched


def test_a_supervisor_of_five_is_five_places() -> None:
    # 20 sessions a minute of 3 minutes: 60 at once.
    assert unwatched(Watched(20.0, 180.0, at_once=5), 14) == erlang_b(60.0, 70)


def test_the_least_are_found_and_one_fewer_leaves_too_many_unwatched() -> None:
    watched = Watched(np.array([0.0, 1.0, 20.0, 400.0]), 180.0, at_once=np.array([3, 8, 5, 4]))
    people = supervisors_required(watched)
    assert people[0] == 0
    assert (unwatched(watched, people)[1:] <= 0.01).all()
    assert (unwatched(watched, np.maximum(people - 1, 0))[1:] > 0.01).all()


def test_the_more_one_can_watch_the_fewer_are_needed() -> None:
    needed = [supervisors_required(Watched(20.0, 180.0, at_once=k)) for k in range(3, 9)]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > needed[-1]


def test_a_takeover_takes_the_eyes_off_all_the_others() -> None:
    # Of 20 a minute one in ten is taken over, for 4 minutes: 8 people at it, the places of 40 sessions.
    watched = Watched(20.0, 180.0, 5, takeover_share=0.1, takeover_seconds=240.0)
    assert unwatched(watched, 20) == pytest.approx(erlang_b(100.0, 100))


@pytest.mark.parametrize(
    ("watched", "named"),
    [
        (Watched(1.0, 0.0), r"session_seconds is 0\.0"),
        (Watched(1.0, 60.0, at_once=0), "at_once is 0"),
        (Watched(1.0, 60.0, takeover_share=3.0), r"takeover_share is 3\.0"),
    ],
)
def test_what_cannot_be_watched_is_named(watched, named) -> None:
    with pytest.raises(ErlangInputError, match=named):
        supervisors_required(watched)
