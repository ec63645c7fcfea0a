"""Thirty days of a bank's contacts, shuffled, late and repeated, every service killed in turn: no cell is wrong.

day       1    2    3    4    5    6    7    8 ... 30
router    X                        X                      each day one of router, sessions, clock, analytics and bridge,
sessions       X              X                           in an order by the seed, with a transaction open or records to
clock               X    ...                              be read

TRUNKLINE_REPLAY_DAYS (default 30) says how many days, TRUNKLINE_REPLAY_SEED (default 1) which contacts and kills.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import httpx
import msgspec
import pytest

from runtime.settings import Settings
from schemas.fields import Handling
from schemas.topics import CLOSED, INTERACTION_EVENTS, OFFERED, POLICY, ROUTED, VOLUME, WFM_EVENTS, Effect
from schemas.wfm import VolumeRow
from tests.chaos.bank import TENANTS, Cell, Coming, Month, micros, policy
from tests.chaos.replay import KILLED, Replay, clock_at, committed
from tests.chaos.storm import count_uncommitted
from tests.support.topics import write_all
from trunkline.installation import SERVICES, Installation

DAYS = int(os.environ.get("TRUNKLINE_REPLAY_DAYS", "30"))
SEED = int(os.environ.get("TRUNKLINE_REPLAY_SEED", "1"))
REBUILD_SECONDS = 300.0
"""The bridge reads everything anew: at its last start, all that a month made."""
CHAIN = (OFFERED, ROUTED, INTERACTION_EVENTS, CLOSED, WFM_EVENTS, VOLUME)


@pytest.mark.chaos
@pytest.mark.soak
def test_thirty_days_of_a_bank_under_kills_leave_no_cell_wrong(settings: Settings) -> None:
    month = Month(DAYS, SEED)
    expected = month.expected()
    policies = [Effect(POLICY, policy(tenant, month.start)) for tenant in TENANTS]
    write_all(settings, [clock_at(min(month.log)), *policies])
    slots = {service: int(service in KILLED) for service in SERVICES}
    stores = {"bootstrap": settings.bootstrap, "redis_url": settings.redis_url}
    with Installation(settings, lambda _said: None, slots=slots, **stores) as running:
        replay = Replay(running, month, SEED, lambda said: print(f"replay: {said}", flush=True))
        began = time.monotonic()
        replay.run()
        seconds = time.monotonic() - began
        ledger = replay.ledger
        told = {cell_of(row): handled(msgspec.structs.asdict(row)) for row in ledger.rows.values()}
        running.supervisor.wait_ready(REBUILD_SECONDS)
        shown = shown_by(running.url("bridge"), told)
        replay.close()
    records = {topic.name: committed(settings, topic) for topic in CHAIN}
    aborted = {topic.name: count_uncommitted(settings, topic) - records[topic.name] for topic in CHAIN}
    differing = [cell for cell in expected.keys() | told.keys() if expected.get(cell) != told.get(cell)]
    report(month, replay, seconds)
    print(f"replay: {sum(records.values()):,} records on {len(CHAIN)} topics; aborted: {aborted}")
    print(f"replay: {len(differing)} cells differ")

    assert not differing, [(cell, expected.get(cell), told.get(cell)) for cell in differing[:5]]
    assert sum(month.counts.values()) * len(TENANTS) == ledger.offered
    assert not ledger.wrong, ledger.wrong[:5]
    assert shown == told, "the bridge shows other volumes than the topic has"
    assert set(ledger.closed.values()) == {1}
    assert not ledger.dead_letters
    assert sum(aborted.values()), "no aborted transaction was seen"


def cell_of(row: VolumeRow) -> Cell:
    interval = None if row.late else row.interval_start
    return Cell(row.tenant, row.queue, row.intent, row.channel, row.language, interval)


def shown_cell(item: dict[str, Any]) -> Cell:
    start = None if item["late"] else micros(item["interval_start"])
    return Cell(item["tenant"], item["queue"], item["intent"], item["channel"], item["language"], start)


def handled(item: dict[str, Any]) -> Counter[str]:
    return Counter({state.value: item[state.value] for state in Handling if item[state.value]})


def shown_by(url: str, told: dict[Cell, Counter[str]], seconds: float = 60.0) -> dict[Cell, Counter[str]]:
    """Return what the bridge shows of each cell, by pages, once it is what the topic has; or what it is in the end."""
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=30) as client:
        while True:
            shown: dict[Cell, Counter[str]] = {}
            for tenant in TENANTS:
                path: str | None = f"/v1/volume?tenant={tenant}&late=true&limit=5000"
                while path is not None:
                    page = client.get(path).raise_for_status().json()
                    shown |= {shown_cell(item): handled(item) for item in page["items"]}
                    path = page["next"]
            if shown == told or time.monotonic() > deadline:
                return shown


def report(month: Month, replay: Replay, seconds: float) -> None:
    ledger, written = replay.ledger, replay.written.total()
    coming = Counter(contact.coming for contact in month.contacts)
    once = sum(1 if contact.course.by is None else 2 + contact.course.turns for contact in month.contacts)
    late, too_old, missed = (coming[each] for each in (Coming.LATE, Coming.TOO_OLD, Coming.MISSED))
    for said in (
        f"{month.days} days of {len(TENANTS)} banks, {month.source}: {len(month.contacts):,} contacts",
        f"{written:,} events in {seconds:.0f} s, {written / seconds:,.0f}/s, {written - once:,} of them repeated",
        f"offered late {late:,}, over 7 days late {too_old:,}, in the late total {missed:,}",
        *(f"{service} killed {len(found)} times: {', '.join(found)}" for service, found in replay.kills.items()),
        f"{len(ledger.rows):,} cells in {ledger.revisions:,} revisions",
    ):
        print(f"replay: {said}")
