"""What a simulated centre is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from simulator.people import CALLBACK_SECONDS
from simulator.utterances import Utterance

DEFAULT_SUPERVISORS = 200
"""With three contacts each, the least that a policy may say, they watch 600: a default run, 10 contacts a second, has
some 250 with AI at once where a third of them goes there and a conversation, verdicts included, lasts 75 s."""
DEFAULT_QA_SHARE, DEFAULT_QA_AFTER_SECONDS = 0.05, 600.0
"""QA samples a few per cent of contacts, and gets to each when the conversation is stored and somebody is free."""
DEFAULT_RATED_SHARE = 0.10
"""Share of customers who answer when they are asked how it was."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The parts of a world. `people`: per queue, by name, else `people_per_queue`.

    `pace` scales every duration of handling. `offer_twice` is a share of contacts, `change_matter` one of those that AI
    begins, 0 to 1. `supervisors` come where the policy has Trunkline assign them. QA labels a `qa_share` of contacts
    that AI finished, `qa_after_seconds` (virtual, whatever the pace) after their end; customers rate a `rated_share` of
    those that AI had. A callback counts for `callback_seconds`, scaled by `pace`.
    """

    tenant: str
    run_id: str
    utterances: Sequence[Utterance]
    pace: float = 1.0
    people_per_queue: int = 50
    people: Mapping[str, int] = dataclasses.field(default_factory=dict)
    offer_twice: float = 0.0
    change_matter: float = 0.0
    supervisors: int = DEFAULT_SUPERVISORS
    qa_share: float = DEFAULT_QA_SHARE
    qa_after_seconds: float = DEFAULT_QA_AFTER_SECONDS
    rated_share: float = DEFAULT_RATED_SHARE
    callback_seconds: float = CALLBACK_SECONDS
