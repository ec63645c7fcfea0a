"""Which AI agent gets a contact: by what it has shown, by channel, language and region, and by what it costs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.decide.decision import decide
from router.decide.fit import lower_bound
from schemas.control import Capability, ChannelQuality, Endpoint, LanguageQuality, Policy, ResidencyRule
from schemas.fields import BreakerState, Channel, Pool
from schemas.interactions import Decision, Load
from tests.offers import NOW, breaker, contact, policy, world


def shown(resolved: float, samples: int) -> tuple[Capability, ...]:
    return (Capability(intent="balance", resolved=resolved, samples=samples),)


def on(**qualities: float) -> tuple[ChannelQuality, ...]:
    return tuple(ChannelQuality(channel=Channel(name), quality=value) for name, value in qualities.items())


def speaks(**qualities: float) -> tuple[LanguageQuality, ...]:
    return tuple(LanguageQuality(language=name, quality=value) for name, value in qualities.items())


def agents(**each: dict[str, Any]) -> Policy:
    """A policy with these agents, all for the intent `balance`."""
    return policy(
        endpoints=tuple(
            Endpoint(endpoint=name, provider="north", version="1", intents=("balance",), **fields)
            for name, fields in each.items()
        )
    )


def decided(of: Policy, *breakers: Any, **changes: Any) -> list[Decision]:
    """Forty decisions on like contacts."""
    given = world(*breakers, of=of)
    return [decide(contact("balance", 0.97, interaction_id=f"c-{n}", **changes), given, Load(), NOW) for n in range(40)]


def chosen(of: Policy, *breakers: Any, **changes: Any) -> set[str | None]:
    return {decision.endpoint for decision in decided(of, *breakers, **changes)}


@pytest.mark.parametrize(
    ("share", "samples", "bound"),
    [  # Wilson's interval at z = 1.645, worked out apart: 0.9 of 100 is 0.8396, of 10,000 0.8950
        (0.9, 0, 0.0),
        (0.9, 100, 0.8396),
        (0.9, 10_000, 0.8950),
        (0.0, 50, 0.0),
        (1.0, 1, 0.2698),
        (1.0, 50, 0.9487),
    ],
)
def test_the_lower_bound_is_cautious_with_few_samples(share: float, samples: int, bound: float) -> None:
    assert lower_bound(share, samples) == pytest.approx(bound, abs=5e-5)


def test_agents_of_which_nothing_is_shown_share_the_contacts() -> None:
    assert chosen(agents(one={}, two={})) == {"one", "two"}


def test_the_agent_that_has_shown_more_gets_the_contacts_and_the_record_says_so() -> None:
    made = agents(one={"capabilities": shown(0.80, 1000)}, two={"capabilities": shown(0.90, 1000)}, three={})
    assert chosen(made) == {"two"}
    (reason, *_) = decided(made)[0].reasons
    assert (reason.code, reason.detail) == ("best_fit", "two: fit 0.883, cost 0, best of 3")


def test_a_high_share_of_few_samples_is_no_proof() -> None:
    assert chosen(agents(new={"capabilities": shown(1.0, 5)}, proven={"capabilities": shown(0.85, 2000)})) == {"proven"}


def test_quality_on_the_channel_and_in_the_language_counts() -> None:
    made = agents(
        talker={"capabilities": shown(0.9, 500), "channels": on(voice=1.0, chat=0.5)},
        writer={"capabilities": shown(0.9, 500), "channels": on(voice=0.6, chat=1.0)},
    )
    assert chosen(made, channel=Channel.VOICE) == {"talker"}
    assert chosen(made, channel=Channel.CHAT) == {"writer"}
    made = agents(anglo={"languages": speaks(en=1.0, fr=0.7)}, franco={"languages": speaks(en=0.8, fr=0.95)})
    assert chosen(made, language="en-GB") == {"anglo"}
    assert chosen(made, language="fr") == {"franco"}


def test_of_agents_that_fit_alike_the_cheapest_gets_the_contacts() -> None:
    made = agents(dear={"cost": 0.2}, cheap={"cost": 0.1}, cheap_too={"cost": 0.1})
    assert chosen(made) == {"cheap", "cheap_too"}


def test_the_next_best_takes_over_while_a_breaker_is_open() -> None:
    made = agents(best={"capabilities": shown(0.9, 500)}, next={"capabilities": shown(0.8, 500)})
    assert chosen(made, breaker("best", BreakerState.OPEN)) == {"next"}


@pytest.mark.parametrize(
    ("fields", "changes", "code"),
    [
        ({"channels": on(voice=1.0)}, {"channel": Channel.CHAT}, "not_on_channel"),
        ({"languages": speaks(en=1.0)}, {"language": "fr"}, "not_in_language"),
        ({"languages": speaks(**{"en-US": 1.0})}, {"language": "en"}, "not_in_language"),
    ],
)
def test_an_agent_that_may_not_have_a_contact_never_gets_it(fields: Any, changes: Any, code: str) -> None:
    (decision, *_) = decided(agents(one=fields), **changes)
    assert decision.pool is Pool.HUMAN_EXCLUSIVE
    assert [(reason.code, reason.detail) for reason in decision.reasons] == [(code, "one"), ("all_ai_unavailable", "")]


@pytest.mark.parametrize(
    ("residency", "region", "expected"),
    [
        ({}, "eu", {"here", "there", "nowhere"}),
        ({"eu": ("eu",)}, "eu", {"here"}),
        ({"eu": ("eu",)}, "us", {"here", "there", "nowhere"}),
        ({"eu": ("eu",)}, None, {"here", "there", "nowhere"}),
        ({"eu": ("eu",), "*": ("us",)}, None, {"there"}),
        ({"eu": ("eu", "us")}, "eu", {"here", "there"}),
        ({"eu": ()}, "eu", {None}),
        ({"*": ("eu",)}, "us", {"here"}),
    ],
)
def test_data_stays_in_the_regions_that_the_policy_allows(residency: Any, region: str | None, expected: Any) -> None:
    rules = tuple(ResidencyRule(customers=of, agents=by) for of, by in residency.items())
    made = agents(here={"region": "eu"}, there={"region": "us"}, nowhere={})
    made = msgspec.structs.replace(made, residency=rules)
    assert chosen(made, region=region) == expected


def test_a_flag_that_the_policy_names_keeps_a_contact_from_ai() -> None:
    made = policy(human_only_flags=("automation_opt_out", "minor"))
    decision = decide(contact("balance", 0.99, flags=("loyal", "minor")), world(of=made), Load(), NOW)
    assert decision.pool is Pool.HUMAN_EXCLUSIVE
    assert [(reason.code, reason.detail) for reason in decision.reasons] == [("human_only_flag", "minor")]
    assert decide(contact("balance", 0.99, flags=("loyal",)), world(of=made), Load(), NOW).endpoint is not None
