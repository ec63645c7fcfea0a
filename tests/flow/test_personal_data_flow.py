"""10,000 lines with planted personal data go through the services: no topic, Redis key or log of ours holds a value.

What the rules do not find in a line (see `make bench SUITE=redaction`) is printed, and must be all that is found.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from confluent_kafka.admin import AdminClient

from bench.planted import Planted, planted
from runtime.admin import topic_specs
from runtime.clock import real_now
from runtime.embedded import EmbeddedRedis
from runtime.kafka import Reader, Writer, client_config
from runtime.redaction import Redactor
from runtime.settings import Settings
from schemas.conversations import Handoff, MoveRequest
from schemas.fields import FinishedBy, Pool
from schemas.interactions import Closed, Completed, Decision, Fact, Turn
from schemas.rules import Phase, SupervisionPolicy
from schemas.supervision import SupervisionRequest, Verdict, VerdictKind
from schemas.topics import (
    CLOSED,
    HANDOFFS,
    INTERACTION_EVENTS,
    OFFERED,
    POLICY,
    ROUTED,
    SUPERVISION_REQUESTS,
    TOPICS,
    Effect,
)
from tests.flow.conversing import ASKS, Talk, house, sure_of
from tests.flow.steps import CODEC, new_room, running
from tests.support.services import ServiceProcess
from tests.support.topics import write_all

pytestmark = pytest.mark.xdist_group("personal_data_flow")

LINES = 10_000
SEED = 2026
KEY = "a key of the tests, long enough"
_PER_CONTACT = 5
"""Lines of a contact: its offer, and what customer and agent say in two turns."""
SERVICES = ("router", "sessions", "clock", "copies")
RESTRICTED = {name for topic in TOPICS if topic.restricted for name in (topic.name, topic.dead_letter_name)}
NAME = re.compile(rb"pd-\d{5}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("personal-data-redis")) as store:
        yield store


@pytest.fixture(scope="module")
def room(
    bootstrap: str, store: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory, models: Path
) -> Iterator[tuple[Settings, list[ServiceProcess]]]:
    data = tmp_path_factory.mktemp("personal-data")
    (data / "models").symlink_to(models)
    settings = new_room(bootstrap, store.url, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUNKLINE_REDACTION_KEY", KEY)
        with running(settings, *SERVICES) as services:
            yield settings, services


class Centre:
    """Offers contacts made of planted lines and answers whatever the services ask, until each is closed."""

    def __init__(self, settings: Settings) -> None:
        self.values: dict[str, list[Planted]] = {}
        self.lines: dict[str, list[str]] = {}
        self.closed: set[str] = set()
        self.packets = self.requests = self.moves = 0
        self._writer = Writer(settings, "platform")
        topics = [topic.name for topic in (ROUTED, HANDOFFS, SUPERVISION_REQUESTS, CLOSED)]
        self._reader = Reader(settings, topics, start="beginning")
        self._settings = settings

    def offer(self) -> None:
        lines = list(planted(LINES, SEED))
        for number, first in enumerate(range(0, len(lines), _PER_CONTACT)):
            own = lines[first : first + _PER_CONTACT]
            name = f"pd-{number:05d}"
            self.values[name] = [value for line in own for value in line.values]
            self.lines[name] = [line.text for line in own]
            tenant = ("asks", "watched")[number % 2]
            offer = Talk(self._settings, None, tenant, name, text=own[0].text, classification=sure_of("balance")).offer
            self._writer.write(Effect(OFFERED, offer))
            self._writer.poll()

    def until_all_closed(self, seconds: float = 150.0) -> None:
        deadline = time.monotonic() + seconds
        while len(self.closed) < len(self.values):
            assert time.monotonic() < deadline, f"{len(self.closed)} of {len(self.values)} contacts closed"
            for record in self._reader.read(2000, 0.05):
                self._answer(CODEC.decode(record.value))
            self._writer.poll()
        self._writer.flush(10)
        self._reader.close()

    def _answer(self, event: Any) -> None:
        if isinstance(event, Decision):
            self._decided(event)
        elif isinstance(event, SupervisionRequest):
            self.requests += 1
            self._judge(event)
        elif isinstance(event, Handoff):
            self.packets += 1
            self._tell(self._ended(event.interaction_id, event.tenant, FinishedBy.HUMAN))
        elif isinstance(event, Closed):
            self.closed.add(event.interaction_id)

    def _decided(self, decision: Decision) -> None:
        name, tenant = decision.interaction_id, decision.tenant
        lines = self.lines[name]
        if decision.endpoint is None:
            self._tell(self._ended(name, tenant, FinishedBy.HUMAN, 0))
            return
        turn = Talk(self._settings, None, tenant, name).turn
        first = turn(1, customer_text=lines[0], agent_text=lines[1], assessment=lines[2], tried=(lines[3],),
                     facts=(Fact(name="said", value=lines[4]),))  # fmt: skip
        second = turn(2, customer_text=lines[2], agent_text=lines[3], person_asked=tenant == "asks")
        stray = msgspec.structs.replace(turn(3, customer_text=lines[4]), endpoint="stranger")
        self._tell(second, first, stray)

    def _judge(self, request: SupervisionRequest) -> None:
        name = request.interaction_id
        kind = VerdictKind.EDIT if request.turn == 1 else VerdictKind.REJECT
        who = {"interaction_id": name, "tenant": request.tenant, "occurred_at": real_now()}
        said = {"why": self.lines[name][1], "text": self.lines[name][4]}
        self._tell(Verdict(epoch=request.epoch, turn=request.turn, verdict=kind, by="sue", **said, **who))
        if request.turn == 2:
            self.moves += 1
            move = MoveRequest(epoch=0, to=Pool.HUMAN_EXCLUSIVE, by="sue", why=self.lines[name][3], **who)
            self._tell(move)

    def _ended(self, name: str, tenant: str, by: FinishedBy, ai_turns: int = 2) -> Completed:
        return Completed(interaction_id=name, tenant=tenant, finished_by=by, ai_turns=ai_turns, occurred_at=real_now())

    def _tell(self, *events: Turn | Completed | Verdict | MoveRequest) -> None:
        for event in events:
            self._writer.write(Effect(INTERACTION_EVENTS, event))


def topics_of(settings: Settings) -> list[str]:
    """Every topic of this installation, as the registry would call it; changelogs as the broker does."""
    names = AdminClient(client_config(settings)).list_topics(timeout=10).topics
    return [name for name in names if settings.prefix in name]


def everything_written(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Bytes of every record of every topic that is not restricted: key, value and headers."""
    for name in topics_of(settings):
        registry = settings.registry_name(name)
        if registry in RESTRICTED:
            continue
        bare = settings.model_copy(update={"prefix": ""})
        reader = Reader(bare, [name], start="beginning")
        while not reader.at_end():
            for record in reader.read(5000, 0.2):
                headers = b"".join(each.encode() + (value or b"") for each, value in record.headers)
                yield registry, (record.key or b"") + b"\n" + (record.value or b"") + b"\n" + headers
        reader.close()


def everything_stored(url: str) -> Iterator[tuple[str, bytes]]:
    client = redis.Redis.from_url(url)
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        if kind == b"hash":
            held = b"\n".join(part for pair in client.hgetall(key).items() for part in pair)
        elif kind == b"zset":
            held = b"\n".join(client.zrange(key, 0, -1))
        else:
            held = client.dump(key) or b""
        yield "Redis", key + b"\n" + held


def everything_logged(services: list[ServiceProcess]) -> Iterator[tuple[str, bytes]]:
    for service in services:
        yield "logs", service.log.read_bytes()


def everything_on_disk(settings: Settings) -> Iterator[tuple[str, bytes]]:
    for path in settings.state_folder("sessions").rglob("*"):
        if path.is_file():
            yield "state", path.read_bytes()


def found_in(pieces: Iterator[tuple[str, bytes]], values: dict[str, list[Planted]]) -> tuple[Counter, Counter, set]:
    """Pieces looked at by place; values found by place; and the (contact, value) pairs found."""
    looked: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    pairs: set[tuple[str, str]] = set()
    others: dict[str, list[bytes]] = defaultdict(list)
    for place, held in pieces:
        looked[place] += 1
        names = {name.decode() for name in NAME.findall(held)}
        if not names:
            others[place].append(held)
        for name in names:
            for value in values.get(name, ()):
                if value.value.encode() in held:
                    hits[place] += 1
                    pairs.add((name, value.value))
    for place, rest in others.items():
        whole = b"\n".join(rest)
        for name, own in values.items():
            for value in own:
                if value.value.encode() in whole:
                    hits[place] += 1
                    pairs.add((name, value.value))
    return looked, hits, pairs


def missed_by_the_rules(lines: dict[str, list[str]], values: dict[str, list[Planted]]) -> Counter:
    """Values that stay in their lines, by kind: what no path of ours could take out."""
    redactor = Redactor(KEY.encode())
    kinds: Counter[tuple[str, str, str]] = Counter()
    for name, own in lines.items():
        cleaned = "\n".join(map(redactor.text, own))
        kinds.update((str(value.kind), name, value.value) for value in values[name] if value.value in cleaned)
    return kinds


@pytest.mark.timeout(420)
def test_no_planted_value_is_in_a_topic_a_redis_key_or_a_log_of_ours(
    room: tuple[Settings, list[ServiceProcess]], store: EmbeddedRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, services = room
    watched = SupervisionPolicy(phase=Phase.PILOT)
    write_all(settings, [Effect(POLICY, house("asks", escalation=ASKS)),
                         Effect(POLICY, house("watched", supervision=watched))])  # fmt: skip
    centre = Centre(settings)
    centre.offer()
    centre.until_all_closed()
    missed = missed_by_the_rules(centre.lines, centre.values)
    unfound = {(name, value) for _, name, value in missed}
    looked, hits, pairs = found_in(everything_written(settings), centre.values)
    in_redis = found_in(everything_stored(store.url), centre.values)
    in_logs = found_in(everything_logged(services), centre.values)
    on_disk = found_in(everything_on_disk(settings), centre.values)
    total = sum(map(len, centre.values.values()))
    with capsys.disabled():
        print(f"\npersonal data: {LINES} lines, {total} planted values, {len(centre.values)} contacts, "
              f"{centre.packets} packets, {centre.requests} requests of supervision; looked at {looked.total()} "
              f"records of {len(looked)} topics, {in_redis[0].total()} keys of Redis, {in_logs[0].total()} logs, "
              f"{on_disk[0].total()} files of state; missed by the rules: "
              f"{dict(Counter(kind for kind, *_ in missed))}; found beyond those: "
              f"{len((pairs | in_redis[2] | in_logs[2] | on_disk[2]) - unfound)}")  # fmt: skip
    assert centre.packets >= len(centre.values) // 2
    assert centre.requests > 1000
    assert looked["sessions.views"] > 5000
    assert any(place.startswith("changelog") for place in looked)
    assert in_redis[0]["Redis"] > len(centre.values)
    assert pairs - unfound == set(), hits
    assert in_redis[2] - unfound == set()
    assert in_logs[2] == set()
    assert on_disk[2] - unfound == set()
    assert len(unfound) <= total * 0.02
    restricted = originals_in(settings, centre)
    assert restricted >= 0.95 * total, "offers, events of platforms and dead letters keep the original"


def originals_in(settings: Settings, centre: Centre) -> int:
    """How many planted values the restricted topics hold, as they were said."""
    held: dict[str, list[bytes]] = defaultdict(list)
    reader = Reader(settings, sorted(RESTRICTED), start="beginning")
    while not reader.at_end():
        for record in reader.read(5000, 0.2):
            if record.key:
                held[record.key.decode(errors="replace")].append(record.value or b"")
    reader.close()
    return sum(
        any(value.value.encode() in each for each in held[name]) for name, own in centre.values.items() for value in own
    )


def test_restricted_topics_are_kept_for_seven_days_at_most() -> None:
    made = {spec.topic: spec for spec in topic_specs(Settings())}
    week = 7 * 24 * 60 * 60 * 1000
    assert set(made) >= RESTRICTED
    for name in RESTRICTED:
        assert 0 < int(made[name].config["retention.ms"]) <= week
