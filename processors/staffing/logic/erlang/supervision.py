"""People who watch AI sessions, several at once, and take some of them over.

A supervisor has room for k sessions (3 to 8, as people and interfaces go); who takes one over has no eye for the
others, so a takeover counts as k places. A session that finds no room is not watched, and does not wait for it:
Erlang B, with n k servers and the traffic

    a = sessions per second * session seconds + k * takeovers per second * takeover seconds
"""

from __future__ import annotations

import dataclasses

import numpy as np

from processors.staffing.logic.erlang.blocking import erlang_b, servers_for_blocking
from processors.staffing.logic.erlang.checks import (
    Figures,
    Numbers,
    arrays,
    as_given,
    check_not_negative,
    check_positive,
    check_share,
    check_whole,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """AI sessions to watch; each field one number or an array.

    at_once: sessions that a supervisor watches. takeover_share: of the sessions, that a person finishes, in
    `takeover_seconds`.
    """

    sessions_per_minute: Numbers
    session_seconds: Numbers
    at_once: Numbers = 5
    takeover_share: Numbers = 0.0
    takeover_seconds: Numbers = 0.0


def supervisors_required(watched: Watched, max_unwatched: Numbers = 0.01) -> Figures:
    """Return the least supervisors with whom at most a share `max_unwatched` of the sessions finds no room.

    Raises ErlangInputError for arguments out of range, or where more than MAX_AGENTS places would be needed.
    """
    traffic = places_erlangs(watched)
    places = servers_for_blocking(traffic, max_unwatched)
    room, at_once = arrays(places, watched.at_once)
    return as_given(np.ceil(room / at_once).astype(np.int64))


def unwatched(watched: Watched, supervisors: Numbers) -> Figures:
    """Return the share of sessions that find no room. Raises ErlangInputError for arguments out of range."""
    check_whole("supervisors", supervisors)
    traffic = places_erlangs(watched)
    people, at_once = arrays(supervisors, watched.at_once)
    return erlang_b(traffic, as_given(people * at_once))


def places_erlangs(watched: Watched) -> Figures:
    """Return the places that sessions and takeovers would take, if there were enough."""
    check_not_negative("sessions_per_minute", watched.sessions_per_minute)
    check_positive("session_seconds", watched.session_seconds)
    check_whole("at_once", watched.at_once, least=1)
    check_share("takeover_share", watched.takeover_share)
    check_not_negative("takeover_seconds", watched.takeover_seconds)
    rate, lasting, at_once, share, takeover = arrays(
        watched.sessions_per_minute, watched.session_seconds, watched.at_once, watched.takeover_share,
        watched.takeover_seconds,
    )  # fmt: skip
    return as_given(rate / 60.0 * (lasting + at_once * share * takeover))
