"""What a simulated centre is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from simulator.utterances import Utterance

DEFAULT_SUPERVISORS = 200
"""With three contacts each, the least that a policy may say, they watch 600: a default run, 10 contacts a second, has
some 250 with AI at once where a third of them goes there and a conversation, verdicts included, lasts 75 s."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The parts of a world. `people`: per queue, by name, else `people_per_queue`.

    `pace` scales every duration of handling. `offer_twice` is a share of contacts, `change_matter` one of those that AI
    begins, 0 to 1. `supervisors` come where the policy has Trunkline assign them.
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
