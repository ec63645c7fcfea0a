"""`trunkline wfm what-if`: of a load by hand without Kafka, and of what the real topics hold."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from processors.staffing.logic.erlang import agents_required, erlang_b, scheduled
from processors.staffing.logic.erlang.supervision import Watched, supervisors_required
from runtime.clock import real_now
from runtime.settings import Settings
from schemas.control import Availability, Endpoint, HumanQueue, PlannedInterval, QueuePlan
from schemas.envelope import iso_time
from schemas.fields import Event, Handling
from schemas.rules import IntentRule, Phase, SupervisionPolicy
from schemas.topics import AVAILABILITY, CLOSED, HANDLE_TIME, PLANS, VOLUME
from schemas.wfm import INTERVAL_MICROS
from tests.flow.command import answered, together, trunkline
from tests.flow.steps import publish_policy, write
from tests.history import HOUR, policy, times, volume
from tests.thresholds_truth import closed

LOAD = ("--contacts", "400", "--aht-seconds", "300", "--containment-now", "0.7")


def told(*arguments: str) -> dict[str, Any]:
    return answered("wfm", "what-if", *arguments)


def required(per_minute: float, aht_seconds: float) -> int:
    return agents_required(per_minute, aht_seconds, 0.8, 20.0, 0.85).agents


def test_a_load_by_hand_needs_no_kafka() -> None:
    # 400 contacts in half an hour; AI leaves 30 %, or 40 % of them to people.
    answer = told(*LOAD, "--containment", "0.6")
    (row,) = answer["queues"]
    assert (row["contacts_per_minute_before"], row["contacts_per_minute_after"]) == pytest.approx((4.0, 400 / 30 * 0.4))
    agents = required(4.0, 300.0), required(400 / 30 * 0.4, 300.0)
    assert (row["agents_before"], row["agents_after"], row["difference"]) == (*agents, agents[1] - agents[0])
    assert row["scheduled_after"] == scheduled(agents[1], 0.3)
    points = told(*LOAD, "--containment", "-10")
    assert points["queues"] == answer["queues"]


def test_who_watches_and_what_ai_has_no_room_for_are_people_too() -> None:
    answer = told(*LOAD, "--phase", "*=semi", "--ai-capacity", "30")
    lost = erlang_b(40.0, 30)  # 400 contacts in half an hour, 180 s each
    assert answer["ai_lost"] == pytest.approx(lost)
    assert answer["total"]["agents_after"] == required(400 / 30 * (0.3 + lost * 0.7), 300.0)
    assert answer["supervision"]["agents_after"] == supervisors_required(Watched(400 / 30 * (1 - lost), 180.0))
    assert answer["people"]["agents_after"] == answer["total"]["agents_after"] + answer["supervision"]["agents_after"]


def test_help_teaches_by_three_examples() -> None:
    done = trunkline("wfm", "what-if", "--help")
    assert done.stdout.count("trunkline wfm what-if --") == 3
    assert "what-if" in trunkline("wfm", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (LOAD, "nothing is to change: give --containment"),
        (("--contacts", "9", "--containment", "0.6"), "--contacts needs --aht-seconds"),
        ((*LOAD, "--containment", "60"), "60 is not a share such as 0.6 or 60%, nor points"),
        ((*LOAD, "--containment", "-0.1"), "-0.1 is not points from 1 to 100"),
        ((*LOAD, "--containment", "nan"), "nan is not a share"),
        ((*LOAD, "--phase", "refund"), "'refund' is not as refund=scaling"),
        ((*LOAD, "--phase", "refund=often"), "of pilot, scaling, maturity, full, semi, autonomous"),
        ((*LOAD, "--ai-capacity", "half"), "half is not as 50%, 40"),
        ((*LOAD, "--ai-capacity", "50%"), "give --ai-capacity as a number of contacts at once"),
        ((*LOAD, "--queue", "billing", "--ai-capacity", "5"), "give --containment as well"),
        ((*LOAD, "--containment", "0.6", "--queue", "billing"), "there is no queue 'billing': there is queue"),
        ((*LOAD, "--containment", "0.6", "--tenant", "acme"), "--tenant is about what runs"),
        (("--containment", "0.6", "--service-level", "0.9"), "--service-level is of a load by hand"),
        (("--containment", "0.6", "--model-containment", "0"), "name it with --model"),
        ((*LOAD, "--contacts", "1e12", "--containment", "0.6"), "check the units"),
    ],
)
def test_what_makes_no_sense_is_named_with_the_remedy(arguments: tuple[str, ...], named: str) -> None:
    done = trunkline("wfm", "what-if", *arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr


NEXT = real_now() // INTERVAL_MICROS * INTERVAL_MICROS + 4 * INTERVAL_MICROS
CAME = NEXT - 4 * INTERVAL_MICROS - 2 * HOUR
"""When the contacts came: an interval of the last 24 hours."""


def fill(settings: Settings) -> None:
    """Two queues, an agent of which version 1 has all contacts, 24 contacts at once, and version 2 had some before.

    Contacts of the last 24 hours: of billing 1,440 that AI had (of which 1,152 contained, 216 came to people, 72 left)
    and 720 of people; of sales 144 contained and watched.
    """
    made = policy(HumanQueue(queue="billing", intents=("refund",)), HumanQueue(queue="sales", intents=("upgrade",)))
    agent = Endpoint(endpoint="nova", provider="north", version="1", intents=("refund", "upgrade"), max_concurrent=24)
    rules = (IntentRule(intent="upgrade", phase=Phase.SCALING),)
    own = SupervisionPolicy(sessions_per_supervisor=4)
    publish_policy(settings, msgspec.structs.replace(made, endpoints=(agent,), intents=rules, supervision=own))
    rows = [
        volume(0, ai_contained=1_152, ai_escalated=216, human_only=720, abandoned=72, interval_start=CAME),
        volume(0, ai_assisted=144, queue="sales", intent="upgrade", interval_start=CAME),
        volume(0, human_only=999, interval_start=CAME - 24 * HOUR),
    ]
    write(settings, VOLUME, msgspec.structs.replace(rows[0], revision=0, human_only=1), *rows)
    write(settings, HANDLE_TIME, *handle_times())
    write(settings, CLOSED, *contacts())
    write(
        settings, AVAILABILITY,
        Availability(tenant="acme", queue="billing", agents_required=9.0, agents_available=7.0,
                     expires_at=real_now() + HOUR, occurred_at=real_now()),
    )  # fmt: skip
    planned = PlannedInterval(contacts=75.0, aht_seconds=200.0, agents=44.0)
    write(
        settings, PLANS, QueuePlan(tenant="acme", queue="billing", starts_at=NEXT, intervals=(planned,), occurred_at=1)
    )


def handle_times() -> list[Event]:
    talk = {"talk": 350.0, "wrap": 50.0}
    return [
        times(0, [{"ai": 600.0}] * 1_152, handling=Handling.AI_CONTAINED, interval_start=CAME),
        times(0, [{"ai": 600.0, **talk}] * 216, handling=Handling.AI_ESCALATED, interval_start=CAME),
        times(0, [talk] * 720, interval_start=CAME),
        times(0, [{"ai": 600.0}] * 72, handling=Handling.ABANDONED, interval_start=CAME),
        times(0, [{"ai": 900.0}] * 144, handling=Handling.AI_ASSISTED, queue="sales", interval_start=CAME),
    ]


def contacts() -> list[Event]:
    """Nova's: version 1 contained 8 of 10 in 600 s, version 2 a week before 6 of 10 in 300 s."""
    about = {"endpoint": "nova", "queue": "billing"}
    endings = [Handling.AI_CONTAINED] * 8 + [Handling.AI_ESCALATED] * 2
    now = [(f"n{n}", endings[n % 10], "1", 600.0, CAME + n) for n in range(40)]
    endings = [Handling.AI_CONTAINED] * 6 + [Handling.AI_ESCALATED] * 4
    then = [(f"t{n}", endings[n % 10], "2", 300.0, CAME - 7 * 24 * HOUR) for n in range(40)]
    return [
        closed(
            interaction_id=name, handling=handling, endpoint_version=version, ai_seconds=seconds, offered_at=at, **about
        )
        for name, handling, version, seconds, at in (*now, *then)
    ]


def test_what_runs_is_the_base_and_the_numbers_are_those_of_staffing(settings: Settings) -> None:
    fill(settings)
    at = ("--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    asked = [
        ("--containment", "-20", "--queue", "billing"),
        ("--model", "nova=2"),
        ("--phase", "upgrade=maturity"),
        ("--ai-capacity", "50%"),
        ("--interval", iso_time(NEXT), "--containment", "0"),
        ("--interval", iso_time(CAME), "--containment", "0"),
    ]
    done = together([("wfm", "what-if", *at, *each, "--json") for each in asked])
    assert [each.returncode for each in done] == [0] * len(asked), [each.stderr for each in done]
    contained, model, phase, capacity, planned, interval = (json.loads(each.stdout) for each in done)

    # A minute of 24 h: AI begins 1 contact of billing, of which it contains 0.8; of the others 3 of 4 come to people,
    # who have half a contact of their own. Handle time 400 s.
    before, rest = 0.5 + 0.2 * 0.75, required(0.65, 400.0)
    for answer in (contained, model, phase, capacity):
        billing, sales = answer["queues"]
        assert (billing["queue"], sales["queue"], billing["agents_available"]) == ("billing", "sales", 7.0)
        assert billing["contacts_per_minute_before"] == pytest.approx(before)
        assert (billing["agents_before"], sales["agents_before"]) == (rest, 0)
        # Sales: a contact in 10 minutes, watched for 900 s, 4 at once.
        assert answer["supervision"]["agents_before"] == supervisors_required(Watched(0.1, 900.0, 4))
        assert answer["total"]["difference"] == billing["difference"] + sales["difference"]

    def after(answer: dict[str, Any]) -> tuple[float, int]:
        return answer["queues"][0]["contacts_per_minute_after"], answer["queues"][0]["agents_after"]

    assert after(contained) == (pytest.approx(0.5 + 0.4 * 0.75), required(0.8, 400.0))
    assert after(model) == (pytest.approx(0.5 + 0.4 * 0.75), required(0.8, 400.0))
    assert after(phase) == (pytest.approx(before), rest)
    assert phase["supervision"]["agents_after"] == 0
    traffic = 1.0 * 600 / 60 + 0.1 * 900 / 60
    lost = 1 - (1 - erlang_b(traffic, 12)) / (1 - erlang_b(traffic, 24))
    assert capacity["ai_lost"] == pytest.approx(lost)
    more = before + lost * (1 - 0.2 * 0.75)
    assert after(capacity) == (pytest.approx(more), required(more, 400.0))

    # As planned: 75 contacts for people in 15 minutes of 200 s; without containment 3 of 4 of AI's come besides.
    scale = 5.0 / before
    row = planned["queues"][0]
    assert (row["contacts_per_minute_before"], row["agents_available"]) == (pytest.approx(5.0), 44.0)
    assert (row["agents_before"], row["agents_after"]) == (required(5.0, 200.0), required(1.25 * scale, 200.0))
    assert interval["queues"][0]["contacts_per_minute_before"] == pytest.approx(before * 96)
    assert interval["queues"][0]["agents_available"] is None  # nobody says who was there
    assert {source["basis"] for source in planned["sources"]} == {"measured", "plan", "policy", "default"}


def test_what_is_not_there_is_refused_with_what_is(settings: Settings) -> None:
    fill(settings)
    at = ("--bootstrap", settings.bootstrap, "--prefix", settings.prefix, "--containment", "0.6")
    asked = [
        (("--queue", "sale"), "there is no queue 'sale': there is billing, sales"),
        (("--intent", "rebate"), "there is no intent 'rebate': there is refund, upgrade"),
        (("--tenant", "nobody"), "tenants with a policy: acme"),
        (("--model", "nova=3"), "measured are 1, 2"),
        (("--interval", iso_time(NEXT + HOUR)), "nothing is planned for"),
    ]
    done = together([("wfm", "what-if", *at, *each) for each, _ in asked])
    for (_, named), each in zip(asked, done, strict=True):
        assert each.returncode != 0
        assert each.stdout == ""
        assert named in each.stderr
        assert "Traceback" not in each.stderr
