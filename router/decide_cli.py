"""`trunkline decide`: what the router would decide, and what would change that, without Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from runtime.errors import SettingsError
from runtime.permits import kept_of
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
    SPARE,
    TRANSITIONS,
    kill_scope,
    queue_key,
)
from schemas.wfm import SpareCapacity

if TYPE_CHECKING:
    from router.classify.result import Classifier
    from router.decide.contact import Contact
    from router.decide.world import World
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


class _Breaker(msgspec.Struct, forbid_unknown_fields=True):
    """A breaker, with what its transition says besides the state."""

    state: BreakerState
    shed_intents: tuple[str, ...] = ()
    intents_only: bool = False
    ramp_seconds: float = 0.0
    ramp_from: float = 1.0
    occurred_at: int = 0


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """What is supposed besides policies: see `trunkline decide --help`."""

    breakers: dict[str, BreakerState | _Breaker] = {}
    killed: list[str] = []
    people: dict[str, _People] = {}
    spare: dict[str, int] = {}
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

    In the state, all of it optional: `breakers`, TENANT/ENDPOINT, or TENANT/ENDPOINT/VERSION for that of a version
    alone, to closed, degraded, open, half_open or forced_open, or to {"state": "degraded", "shed_intents": ["refund"],
    "intents_only": true} or {"state": "closed", "ramp_seconds": 60, "ramp_from": 0.2, "occurred_at": 0};
    `killed`, a list of all, tenant/TENANT and agent/TENANT/ENDPOINT; `people`, TENANT/QUEUE to
    {"required": 50, "available": 40}; `spare`, TENANT/QUEUE to contacts that its people may get, for tenants whose
    spillover is metered; `load`, as on a decision, with `full` agents, `limited` limits and what is left as `spare`;
    `now`, in microseconds since 1970, by default the time of each contact.
    """
    from router.decide.contact import Contact  # noqa: PLC0415
    from router.decide.counterfactual import counterfactuals  # noqa: PLC0415 - `--help` need not load numpy
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
            load = _load(state, contact, world, now)
            taken = msgspec.to_builtins(decided(contact, world, load, now))
            taken["counterfactual"] = [
                {"input": each.move.name, "from": each.move.was, "to": each.move.now, "then": each.outcome._asdict()}
                for each in counterfactuals(contact, snapshot, load, now)
            ]
            click.echo(json.dumps(taken, ensure_ascii=False))


def _state(path: Path | None) -> _State:
    if path is None:
        return _State()
    try:
        return msgspec.json.decode(path.read_bytes(), type=_State)
    except msgspec.DecodeError as problem:
        raise SettingsError(f"{path}: {problem}; `trunkline decide --help` says what a state is") from problem


def _load(state: _State, contact: Contact, world: World, now: int) -> Load:
    """Return the load that is supposed. Where it says nothing of permits for people, none of them is spent."""
    from router.decide.decision import spare_room  # noqa: PLC0415 - as above

    room = spare_room(contact, world, now) if state.load.spare is None else None
    return state.load if room is None else msgspec.structs.replace(state.load, spare=room.of(contact.partition))


def _policies(files: Sequence[Path], bases: Sequence[Path]) -> dict[str, Policy]:
    from router.policy.document import load_policy  # noqa: PLC0415 - as above

    made = [load_policy(file, (*bases, *files)) for file in files]
    return {policy.tenant: policy for policy in made}


def _snapshot(policies: Mapping[str, Policy], state: _State) -> Snapshot:
    from runtime.snapshot import Snapshot  # noqa: PLC0415 - as above

    snapshot = Snapshot()
    for offset, (tenant, policy) in enumerate(sorted(policies.items())):
        snapshot = snapshot.with_record(POLICY, tenant, policy, offset)
    agents = [(tenant, endpoint) for tenant, policy in policies.items() for endpoint in policy.endpoints]
    snapshot = _with_breakers(snapshot, state.breakers, agents)
    scopes: dict[str, tuple[str | None, str | None]] = {kill_scope(None): (None, None)}
    scopes |= {kill_scope(tenant): (tenant, None) for tenant in policies}
    scopes |= {kill_scope(tenant, endpoint.endpoint): (tenant, endpoint.endpoint) for tenant, endpoint in agents}
    for offset, scope in enumerate(state.killed):
        whose, name = scopes[_known("killed", scope, scopes)]
        order = KillSwitch(tenant=whose, endpoint=name, killed=True, reason="supposed", occurred_at=0)
        snapshot = snapshot.with_record(COMMANDS, scope, order, offset)
    queues = {
        f"{tenant}/{queue.queue}": (tenant, queue.queue)
        for tenant, policy in policies.items()
        for queue in policy.queues
    }
    return _with_spare(_with_people(snapshot, state.people, queues), state.spare, queues)


def _with_breakers(
    snapshot: Snapshot, breakers: Mapping[str, BreakerState | _Breaker], agents: Sequence[tuple[str, Endpoint]]
) -> Snapshot:
    from router.decide.breakers import breaker_keys  # noqa: PLC0415 - as above
    from router.decide.counterfactual import transition_to  # noqa: PLC0415

    known: dict[str, tuple[str, Endpoint, str | None]] = {}
    for tenant, endpoint in agents:
        own, of_version = breaker_keys(tenant, endpoint)
        known |= {own: (tenant, endpoint, None), of_version: (tenant, endpoint, endpoint.version)}
    for offset, (key, said) in enumerate(breakers.items()):
        tenant, endpoint, version = known[_known("breakers", key, known)]
        breaker = said if isinstance(said, _Breaker) else _Breaker(said)
        fields = {**msgspec.structs.asdict(breaker), "version": version}
        made = transition_to(tenant, endpoint, fields.pop("state"), **fields)
        snapshot = snapshot.with_record(TRANSITIONS, key, made, offset)
    return snapshot


def _with_people(snapshot: Snapshot, people: Mapping[str, _People], queues: Mapping[str, tuple[str, str]]) -> Snapshot:
    for offset, (key, said) in enumerate(people.items()):
        tenant, queue = queues[_known("people", key, queues)]
        made = Availability(
            tenant=tenant, queue=queue, agents_required=said.required, agents_available=said.available,
            expires_at=LATEST, occurred_at=0,
        )  # fmt: skip
        snapshot = snapshot.with_record(AVAILABILITY, queue_key(tenant, queue), made, offset)
    return snapshot


def _with_spare(snapshot: Snapshot, spare: Mapping[str, int], queues: Mapping[str, tuple[str, str]]) -> Snapshot:
    for offset, (key, permits) in enumerate(spare.items()):
        tenant, queue = queues[_known("spare", key, queues)]
        made = SpareCapacity(
            tenant=tenant, queue=queue, revision=1, spare_contacts_per_minute=0.0, permits=(permits,),
            expires_at=LATEST, occurred_at=0, kept=kept_of((permits,), 0),
        )  # fmt: skip
        snapshot = snapshot.with_record(SPARE, queue_key(tenant, queue), made, offset)
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
