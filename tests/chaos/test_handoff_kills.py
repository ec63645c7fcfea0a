"""Sessions are killed while they hand contacts over: one packet each, with the whole history. 20 times in `make soak`.

contacts  --------------------------------------------------------------> as many a second all the time
sessions     X    X    X    X    X    X    X    X    X    X ...           (SIGKILL, then again in the same slot)
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from runtime.clock import real_now
from runtime.kafka import Reader, Writer
from runtime.settings import Settings
from schemas.agents import Outcome
from schemas.codec import Codec
from schemas.conversations import Handoff, HandoffAck
from schemas.fields import FinishedBy
from schemas.interactions import Closed, Completed, Instructions
from schemas.rules import Transfer, Triggers
from schemas.topics import (
    AGENT_EVENTS,
    CLOSED,
    HANDOFFS,
    INTERACTION_EVENTS,
    POLICY,
    SESSION_VIEWS,
    Effect,
)
from schemas.views import TurnView
from tests import contacts
from tests.chaos.storm import count_uncommitted, freeze_in_transaction
from tests.flow.conversing import house
from tests.support.services import ServiceProcess
from tests.support.topics import write_all

IN_TRANSACTION = 4
"""Every fourth kill comes while packets are written and not committed; the others come as they come."""
PER_SECOND = 120
TURNS = 4
TENANT = "acme"
ASKS = Instructions(escalate=Triggers(person_asked=True))


class Load:
    """Writes contacts at an even rate, each with its turns, the last of which asks for a person; counts them."""

    def __init__(self, settings: Settings) -> None:
        self._writer = Writer(settings, "platform")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.begun = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._writer.flush(30)

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(0.02):
            due = int((time.monotonic() - began) * PER_SECOND)
            while self.begun < due:
                self._contact(f"k-{self.begun:06d}")
                self.begun += 1
            self._writer.poll()

    def _contact(self, name: str) -> None:
        who = {"interaction_id": name}
        now = real_now()
        decided = contacts.decision(**who, decision_id=f"d-{name}", instructions=ASKS, offered_at=now, decided_at=now)
        said = [f"{name} says {number}" for number in range(1, TURNS + 1)]
        turns = [
            contacts.turn(number, **who, customer_text=said[number - 1], person_asked=number == TURNS, occurred_at=now)
            for number in range(1, TURNS + 1)
        ]
        for event in (decided, *turns):
            self._writer.write(Effect(INTERACTION_EVENTS, event))


class Desk:
    """Reads what sessions tell, acknowledges each packet as the ACD would, and keeps all of it."""

    def __init__(self, settings: Settings) -> None:
        topics = (HANDOFFS, CLOSED, AGENT_EVENTS, SESSION_VIEWS)
        self._reader = Reader(settings, [topic.name for topic in topics], start="beginning")
        self._writer = Writer(settings, "acd")
        self._codec = Codec()
        self.packets: list[Handoff] = []
        self.closed: Counter[str] = Counter()
        self.outcomes: Counter[tuple[str, int]] = Counter()
        self.views: Counter[str] = Counter()

    def look(self, seconds: float = 0.05) -> None:
        for record in self._reader.read(5000, seconds):
            event = self._codec.decode(record.value) if record.value else None
            if isinstance(event, Handoff):
                self.packets.append(event)
                self._answer(event)
            elif isinstance(event, Closed):
                self.closed[event.interaction_id] += 1
            elif isinstance(event, Outcome):
                self.outcomes[event.interaction_id, event.turn] += 1
            elif isinstance(event, TurnView):
                self.views[event.interaction_id] += 1
        self._writer.poll()

    def _answer(self, packet: Handoff) -> None:
        who = {"interaction_id": packet.interaction_id, "tenant": packet.tenant, "occurred_at": real_now()}
        self._writer.write(Effect(INTERACTION_EVENTS, HandoffAck(epoch=packet.epoch, by="person-1", **who)))
        self._writer.write(Effect(INTERACTION_EVENTS, Completed(finished_by=FinishedBy.HUMAN, ai_turns=TURNS, **who)))

    def drain(self) -> None:
        """Read what is committed."""
        self.look()
        while not self._reader.at_end():
            self.look()

    def until(self, what: str, reached, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, f"{what}: {len(self.packets)} packets, {len(self.closed)} closed"
            self.look()

    def close(self) -> None:
        self._writer.flush(10)
        self._reader.close()


@pytest.fixture
def sessions(settings: Settings) -> Iterator[ServiceProcess]:
    policy = msgspec.structs.replace(house(TENANT), transfer=Transfer(ack_seconds=600.0))
    write_all(settings, [Effect(POLICY, policy)])
    service = ServiceProcess(settings, "sessions").start().wait_ready()
    yield service
    service.stop()


@pytest.mark.chaos
@pytest.mark.timeout(420)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_kills_during_handoffs_leave_one_packet_with_the_whole_history_for_each_contact(
    settings: Settings, sessions: ServiceProcess, capsys: pytest.CaptureFixture[str], kills: int
) -> None:
    desk, gaps = Desk(settings), []
    with Load(settings) as load:
        desk.until("the first packets", lambda: len(desk.packets) > PER_SECOND, 60)
        for number in range(kills):
            if number % IN_TRANSACTION == 0:
                freeze_in_transaction(settings, sessions.pid(), HANDOFFS, lambda: desk.look(0.005))
            sessions.kill()
            killed = time.monotonic()
            desk.drain()
            before = len(desk.packets)
            sessions.start()
            desk.until("packets after a kill", lambda n=before: len(desk.packets) > n, 60)
            gaps.append(time.monotonic() - killed)
        load.stop()
        desk.until("every contact", lambda: len(desk.closed) == load.begun, 120)
    desk.look(1.0)
    uncommitted = count_uncommitted(settings, HANDOFFS)
    desk.close()
    names = {f"k-{number:06d}" for number in range(load.begun)}
    with capsys.disabled():
        print(f"\nhandoff kills: {kills} kills, {load.begun} contacts, {len(desk.packets)} packets, "
              f"{uncommitted - len(desk.packets)} packets aborted; packets again after {min(gaps):.1f} to "
              f"{max(gaps):.1f} s")  # fmt: skip
    assert Counter(packet.interaction_id for packet in desk.packets) == dict.fromkeys(names, 1)
    assert desk.closed == dict.fromkeys(names, 1)
    assert desk.outcomes == {(name, number): 1 for name in names for number in range(1, TURNS + 1)}
    assert desk.views == dict.fromkeys(names, TURNS)
    for packet in desk.packets:
        told = [f"{packet.interaction_id} says {number}" for number in range(1, TURNS + 1)]
        assert [each.customer_text for each in packet.history] == told
    assert uncommitted > len(desk.packets), "no packet was ever aborted"
