"""`trunkline decide`: what the router would decide, and what would change that, without Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from runtime.errors import SettingsError
from schemas.control import Availability, Endpoint, KillSwitch, Policy
from schemas.errors import DecodeError
from schemas.fields import LATEST, BreakerState
from schemas.interactions import Load, Offered
from schemas.lines import event_of_line
from schemas.topics import (
    AVAILABILITY,
    COMMANDS,
    OFFERED,
    POLICY,
    TRANSITIONS,
    endpoint_key,
    kill_scope,
    queue_key,
)

if TYPE_CHECKING:
    from router.classify.result import Classifier
    from runtime.snapshot import Snapshot

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BATCH = 256
_EXAMPLE = """\b
Example, where state.json is {"breakers": {"acme/support-bot": "open"}, "killed": ["tenant/other"]}:
  trunkline decide --policy acme.yaml --state state.json < contacts.jsonl | jq '{pool, reasons, counterfactual}'
A contact is a line as `trunkline produce interactions.offered` takes it:
  {"interaction_id":"1","tenant":"acme","channel":"chat","text":"where is my refund","occurred_at":0}
"""


class _People(msgspec.Struct, forbid_unknown_fields=True):
    """How many people a queue needs and has."""

    required: float
    available: float


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """What is supposed besides policies: see `trunkline decide --help`."""

    breakers: dict[str, BreakerState] = {}
    killed: list[str] = []
    people: dict[str, _People] = {}
    load: Load = Load()
    now: int | None = None


class _Line(NamedTuple):
    number: int
    offered: Offered


@click.command(epilog=_EXAMPLE)
@click.argument("contacts", type=click.File("rb"), default="-")
@click.option("--policy", "policies", type=_FILE, multiple=True, required=True, help="a tenant's policy; for each one")
@click.option("--base", "bases", type=_FILE, multiple=True, help="a policy that one of them extends")
@click.option("--state", "state_file", type=_FILE, help="what is supposed of breakers, kills and load, as JSON")
@click.option("--model", type=_FILE, help="model for contacts without `classification`  [default: the seed model]")
def decide(
    contacts: Any, policies: tuple[Path, ...], bases: tuple[Path, ...], state_file: Path | None, model: Path | None
) -> None:
    """Print the decision on each contact of CONTACTS, or of standard input, as JSON lines, without Kafka.

    It is the router's own function. `counterfactual` has what would have sent the contact elsewhere: one input
    moved, from what to what, and where it would have gone then.

    In the state, all of it optional: `breakers`, TENANT/ENDPOINT to closed, degraded, open, half_open or
    forced_open; `killed`, a list of all, tenant/TENANT and agent/TENANT/ENDPOINT; `people`, TENANT/QUEUE to
    {"required": 50, "available": 40}; `load`, as on a decision, with `full` agents and `limited` limits; `now`, in
    microseconds since 1970, by default the time of each contact.
    """
    from router.decide.counterfactual import counterfactuals  # noqa: PLC0415 - `--help` need not load numpy
    from router.decide.decision import Contact  # noqa: PLC0415
    from router.decide.decision import decide as decided  # noqa: PLC0415
    from router.decide.world import world_of  # noqa: PLC0415

    state = _state(state_file)
    snapshot = _snapshot(_policies(policies, bases), state)
    world = world_of(snapshot)
    classifier: list[Classifier] = []
    for batch in _batches(_lines(contacts)):
        for line, found in zip(batch, _classified(batch, model, classifier), strict=True):
            contact = Contact(line.offered, 0, line.number - 1, found)
            now = line.offered.occurred_at if state.now is None else state.now
            taken = msgspec.to_builtins(decided(contact, world, state.load, now))
            taken["counterfactual"] = [
                {"input": each.move.name, "from": each.move.was, "to": each.move.now, "then": each.outcome._asdict()}
                for each in counterfactuals(contact, snapshot, state.load, now)
            ]
            click.echo(json.dumps(taken, ensure_ascii=False))


def _state(path: Path | None) -> _State:
    if path is None:
        return _State()
    try:
        return msgspec.json.decode(path.read_bytes(), type=_State)
    except msgspec.DecodeError as problem:
        raise SettingsError(f"{path}: {problem}; `trunkline decide --help` says what a state is") from problem


def _policies(files: Sequence[Path], bases: Sequence[Path]) -> dict[str, Policy]:
    from router.policy.document import load_policy  # noqa: PLC0415 - as above

    made = [load_policy(file, (*bases, *files)) for file in files]
    return {policy.tenant: policy for policy in made}


def _snapshot(policies: Mapping[str, Policy], state: _State) -> Snapshot:
    from runtime.snapshot import Snapshot  # noqa: PLC0415 - as above

    snapshot = Snapshot()
    for offset, (tenant, policy) in enumerate(sorted(policies.items())):
        snapshot = snapshot.with_record(POLICY, tenant, policy, offset)
    agents = {
        endpoint_key(tenant, endpoint.endpoint): (tenant, endpoint)
        for tenant, policy in policies.items()
        for endpoint in policy.endpoints
    }
    snapshot = _with_breakers(snapshot, state.breakers, agents)
    scopes: dict[str, tuple[str | None, str | None]] = {kill_scope(None): (None, None)}
    scopes |= {kill_scope(tenant): (tenant, None) for tenant in policies}
    scopes |= {
        kill_scope(tenant, endpoint.endpoint): (tenant, endpoint.endpoint) for tenant, endpoint in agents.values()
    }
    for offset, scope in enumerate(state.killed):
        whose, name = scopes[_known("killed", scope, scopes)]
        order = KillSwitch(tenant=whose, endpoint=name, killed=True, reason="supposed", occurred_at=0)
        snapshot = snapshot.with_record(COMMANDS, scope, order, offset)
    return _with_people(snapshot, state.people, policies)


def _with_breakers(
    snapshot: Snapshot, breakers: Mapping[str, BreakerState], agents: Mapping[str, tuple[str, Endpoint]]
) -> Snapshot:
    from router.decide.counterfactual import transition_to  # noqa: PLC0415 - as above

    for offset, (key, breaker) in enumerate(breakers.items()):
        made = transition_to(*agents[_known("breakers", key, agents)], breaker)
        snapshot = snapshot.with_record(TRANSITIONS, key, made, offset)
    return snapshot


def _with_people(snapshot: Snapshot, people: Mapping[str, _People], policies: Mapping[str, Policy]) -> Snapshot:
    queues = {
        f"{tenant}/{queue.queue}": (tenant, queue.queue)
        for tenant, policy in policies.items()
        for queue in policy.queues
    }
    for offset, (key, said) in enumerate(people.items()):
        tenant, queue = queues[_known("people", key, queues)]
        made = Availability(
            tenant=tenant, queue=queue, agents_required=said.required, agents_available=said.available,
            expires_at=LATEST, occurred_at=0,
        )  # fmt: skip
        snapshot = snapshot.with_record(AVAILABILITY, queue_key(tenant, queue), made, offset)
    return snapshot


def _known(what: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise SettingsError(f"state: {what}: there is no {name!r}; there are {', '.join(sorted(names))}")
    return name


def _lines(contacts: Iterable[bytes]) -> Iterator[_Line]:
    for number, line in enumerate(contacts, start=1):
        if not line.strip():
            continue
        try:
            offered = event_of_line(line, OFFERED)
        except (DecodeError, msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise SettingsError(
                f"line {number} is no contact: {problem}; a contact is a line as `trunkline produce "
                "interactions.offered` takes it"
            ) from problem
        assert isinstance(offered, Offered)  # noqa: S101 - the only type of the topic
        yield _Line(number, offered)


def _batches(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    batch: list[_Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _classified(batch: Sequence[_Line], model: Path | None, opened: list[Classifier]) -> list[Any]:
    """Return the intent of each contact, its own or the classifier's, which is opened when it is first needed."""
    texts = [line.offered.text for line in batch if line.offered.classification is None]
    if texts and not opened:
        opened.append(_classifier(model))
    made = iter(opened[0].classify(texts).rows() if texts else ())
    return [line.offered.classification or next(made) for line in batch]


def _classifier(model: Path | None) -> Classifier:
    from router.classify.model import load_seed_model, open_classifier  # noqa: PLC0415 - as above
    from runtime.options import settings_of  # noqa: PLC0415

    return open_classifier(model) if model else load_seed_model(settings_of({}).data / "models")
