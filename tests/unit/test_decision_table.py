"""The tables of `tests/decisions.md`, and those in `docs/policy.md`: each row is one decision, and one test.

How a row is written is said at the head of `tests/decisions.md`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from router.decide.contact import Contact
from router.decide.decision import decide
from router.decide.world import world_of
from router.policy.document import Source, plain, policy_of, resolved
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Availability, KillSwitch, Policy
from schemas.fields import LATEST, BreakerState, Channel, Direction, Disposition, Pool, Supervision
from schemas.hours import instant
from schemas.interactions import Classification, Decision, Instructions, Load, Offered
from schemas.topics import AVAILABILITY, COMMANDS, POLICY, TRANSITIONS, breaker_key, kill_key, queue_key
from schemas.topics import SPARE as SPARE_TOPIC
from schemas.wfm import SpareCapacity
from tests.offers import breaker

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "tests/decisions.md", ROOT / "docs/policy.md")
NOW = "2026-11-30T12:00Z"
"""A Monday."""
WATCHED = {
    "alone": (Pool.AI_CONTAINED, Supervision.AUTONOMOUS),
    "watched": (Pool.AI_ASSISTED, Supervision.SEMI),
    "each answer": (Pool.AI_ASSISTED, Supervision.FULL),
}
ANSWERS = {"people": "route", "callback": "callback", "deflect": "deflect", "hold": "hold"}
WORDS: dict[str, tuple[str, Any]] = (
    {str(channel): ("channel", channel) for channel in Channel}
    | {str(direction): ("direction", direction) for direction in Direction}
    | {word: ("language", word) for word in ("en", "en-GB", "en-US", "fr", "fr-CA", "de")}
    | {word: ("region", word) for word in ("eu", "us", "br")}
    | {word: ("segment", word) for word in ("gold", "silver", "basic")}
)
"""Words of a contact that say by themselves what they are."""
KEYS = {"age": "age_years", "id": "interaction_id"} | {
    name: name for name in ("tenant", "segment", "region", "language")
}
TO_AI = re.compile(r"(?P<agents>\S+(?: or \S+)*) (?P<watched>alone|watched|each answer)(?: for (?P<queue>\S+))?")
TO_PEOPLE = re.compile(r"(?P<answer>people|callback|deflect|hold) in (?P<queue>\S+)")
REASONS = re.compile(r"[a-z_]+(?:: [^,]+)?(?:, [a-z_]+(?:: [^,]+)?)*")
BREAKER = re.compile(r"(?:(\S+)/)?(\S+) (closed|degraded|open|half_open|forced_open)(?: by (\w+))?((?: \S+)*)")
SPARE = re.compile(r"spare (\S+) (\d+)/(\d+)(?: keeps (\d+))?(?: until (\S+))?")
ORDER = re.compile(r"(killed|restored) (?:(all)|(tenant)(?:/(\S+))?|(?:(\S+)/)?(\S+))")
PEOPLE = re.compile(r"people (\S+) ([\d.]+)/([\d.]+)(?: from (\S+))?(?: until (\S+))?")


class Row(NamedTuple):
    """A row of a table as it stands in its file. `policies`: the documents in force, with the lines they begin on."""

    place: str
    name: str
    cells: tuple[str, ...]
    policies: tuple[tuple[int, str], ...]
    file: Path

    def unread(self, what: str) -> ValueError:
        return ValueError(f"{self.place}: cannot read {what}; the head of tests/decisions.md says how it is written")


def rows_of(file: Path) -> list[Row]:  # noqa: C901 - one pass over the lines
    """Return the rows of a file; a table counts whose first column is `contact`."""
    rows: list[Row] = []
    section, columns, counted = "", 0, Counter[str]()
    policies: list[tuple[int, str]] = []
    fenced, fresh = None, False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if fenced is not None and not line.startswith("```"):
            fenced.append(line)
        elif line.startswith("```"):
            if fenced is None:
                fenced, start, is_policy = [], number, line == "```yaml"
            else:
                if is_policy:
                    policies, fresh = [*(policies if fresh else ()), (start, "\n".join(fenced) + "\n")], True
                fenced = None
        elif line.startswith("#"):
            section, fresh = re.sub(r"\W+", "-", line.lower()).strip("-"), False
        elif line.startswith("| contact |"):
            columns, fresh = line.count("|") - 1, False
        elif not line.startswith("|"):
            columns = 0
        elif columns and not line.startswith("|-"):
            counted[section] += 1
            cells = tuple(cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|"))
            row = Row(f"{file.name}:{number}", f"{section}-{counted[section]}", cells, tuple(policies), file)
            if len(cells) != columns:
                raise row.unread(f"a row of {len(cells)} cells in a table of {columns} columns")
            rows.append(row)
    return rows


@cache
def document_at(file: Path, line: int, text: str) -> Source:
    return Source(f"{file.name}, policy at line {line}", YAML(typ="rt").load(text))


@cache
def policies_of(row_file: Path, documents: tuple[tuple[int, str], ...]) -> dict[str, Policy]:
    """Return policies by tenant; each may extend any that stands in a table's policies in the file."""
    known = {}
    for row in ROWS:
        if row.file == row_file:
            known |= {plain(source)["tenant"]: plain(source) for source in sources(row_file, row.policies)}
    made = (
        policy_of(resolved(plain(source), known.__getitem__), source, revision=1, occurred_at=0, by="", reason="")
        for source in sources(row_file, documents)
    )
    return {policy.tenant: policy for policy in made}


def sources(file: Path, documents: tuple[tuple[int, str], ...]) -> list[Source]:
    return [document_at(file, line, text) for line, text in documents]


def offer(row: Row, tenant: str, now: int) -> tuple[Offered, Classification]:
    """Return the contact of a row: intent, confidence, then words in any order."""
    intent, confidence, *words = row.cells[0].split()
    fields: dict[str, Any] = {"channel": Channel.CHAT, "tenant": tenant, "occurred_at": now}
    for word in words:
        key, _, value = word.partition("=")
        if word in WORDS:
            name, fields_value = WORDS[word]
            fields[name] = fields_value
        elif key == "flags" and value:
            fields["flags"] = tuple(value.split(","))
        elif key == "offered" and value:
            fields["occurred_at"] = instant(value)
        elif key in KEYS and value:
            fields[KEYS[key]] = int(value) if key == "age" else value
        else:
            raise row.unread(f"{word!r} of the contact")
    return Offered(**{"interaction_id": row.name, **fields}, text=""), Classification(
        intent=intent, confidence=float(confidence)
    )


def breaker_given(row: Row, tenant: str, found: re.Match[str], now: int) -> tuple[Transition, int | None]:
    """Return a transition, and how many probes are left of its permits, where that is said."""
    whose, agent, state, why, words = found.groups()
    fields: dict[str, Any] = {"occurred_at": now}
    left = None
    for word in words.split():
        name, _, value = word.partition("=")
        if name == "permits":
            left = int(value)
        elif name == "sheds":
            fields["shed_intents"] = tuple(value.split(","))
        elif name == "version":
            fields["version"] = value
        elif name == "ramp":
            start, _, seconds = value.partition("/")
            fields |= {"ramp_from": float(start), "ramp_seconds": float(seconds)}
        elif name == "since":
            fields["occurred_at"] = instant(value)
        elif word == "others_well":
            fields["intents_only"] = True
        else:
            raise row.unread(f"{word!r} of what is given")
    return breaker(agent, BreakerState(state), tenant=whose or tenant, reason=why or "drill", **fields), left


def decided(row: Row) -> Decision:
    """Return what is decided on the contact of a row, with all that it supposes."""
    policies = policies_of(row.file, row.policies)
    named = re.search(r" tenant=(\S+)", row.cells[0])
    tenant = named[1] if named else next(iter(policies))
    snapshot, load, now = Snapshot(), Load(), instant(NOW)
    for offset, policy in enumerate(policies.values()):
        snapshot = snapshot.with_record(POLICY, policy.tenant, policy, offset)
    permits: dict[str, int] = {}
    full: list[str] = []
    limited: list[str] = []
    spare: int | None = None
    for offset, given in enumerate(filter(None, map(str.strip, row.cells[1].split(";")))):
        kind, _, rest = given.partition(" ")
        if kind == "at":
            now = instant(rest)
        elif kind == "full":
            full.append(rest)
        elif kind == "above":
            limited.append(rest)
        elif found := PEOPLE.fullmatch(given):
            queue, available, required, starts, ends = found.groups()
            said = Availability(
                tenant=tenant, queue=queue, agents_required=float(required), agents_available=float(available),
                starts_at=instant(starts) if starts else 0, expires_at=instant(ends) if ends else LATEST, occurred_at=0,
            )  # fmt: skip
            snapshot = snapshot.with_record(AVAILABILITY, queue_key(tenant, queue), said, offset)
        elif found := ORDER.fullmatch(given):
            what, every, whole, other, whose, agent = found.groups()
            about = {} if every else {"tenant": other or whose or tenant} | ({} if whole else {"endpoint": agent})
            order = KillSwitch(**about, killed=what == "killed", reason="drill", occurred_at=0)
            snapshot = snapshot.with_record(COMMANDS, kill_key(order), order, offset)
        elif found := SPARE.fullmatch(given):
            queue, left_now, issued, kept, ends = found.groups()
            spare = int(left_now)
            room = SpareCapacity(
                tenant=tenant, queue=queue, revision=1, spare_contacts_per_minute=1.0, permits=(int(issued),),
                expires_at=instant(ends) if ends else LATEST, occurred_at=0, kept=(int(kept or 0),),
            )  # fmt: skip
            snapshot = snapshot.with_record(SPARE_TOPIC, queue_key(tenant, queue), room, offset)
        elif found := BREAKER.fullmatch(given):
            moved, left = breaker_given(row, tenant, found, now)
            key = breaker_key(moved.tenant, moved.endpoint, moved.version)
            snapshot = snapshot.with_record(TRANSITIONS, key, moved, offset)
            permits |= {moved.endpoint: left} if left is not None else {}
        else:
            raise row.unread(f"{given!r} of what is given")
    offered, classification = offer(row, tenant, now)
    load = Load(probe_permits=permits, full=tuple(full), limited=tuple(limited), spare=spare)
    return decide(Contact(offered, 0, 0, classification), world_of(snapshot), load, now)


def assert_goes_to(row: Row, decision: Decision) -> None:
    told = row.cells[2]
    if found := TO_PEOPLE.fullmatch(told):
        assert decision.endpoint is None, f"{told}, and it goes to {decision.endpoint}"
        assert (decision.pool, decision.supervision) == (Pool.HUMAN_EXCLUSIVE, None)
        assert (decision.disposition, decision.queue) == (Disposition(ANSWERS[found["answer"]]), found["queue"])
        assert decision.instructions is None, "they are for AI"
    elif found := TO_AI.fullmatch(told):
        assert decision.endpoint in found["agents"].split(" or ")
        assert (decision.pool, decision.supervision) == WATCHED[found["watched"]]
        assert decision.disposition is Disposition.ROUTE
        assert found["queue"] in (None, decision.queue)
    else:
        raise row.unread(f"{told!r} of where it goes")


def assert_reasons(row: Row, decision: Decision) -> None:
    """Assert that the codes are those of the row; where it has a detail, that the record's begins with it."""
    if not REASONS.fullmatch(row.cells[3]):
        raise row.unread(f"{row.cells[3]!r} of the reasons")
    wanted = row.cells[3].split(", ")
    found = [f"{each.code}: {each.detail.replace(', ', ' and ')}".removesuffix(": ") for each in decision.reasons]
    agree = len(wanted) == len(found) and all(
        re.match(rf"{re.escape(want)}(?:$|[: ])", have) for want, have in zip(wanted, found, strict=True)
    )
    assert agree, f"reasons are to be {wanted} and are {found}"


def instructions_told(instructions: Instructions | None) -> str:
    """Return instructions as the column `told` has them."""
    if instructions is None:
        return ""
    parts = [f"say {text}" for text in instructions.say]
    for name, triggers in (("approve", instructions.approve), ("escalate", instructions.escalate)):
        if triggers is not None:
            stated = {field: getattr(triggers, field) for field in triggers.__struct_fields__}
            parts += [
                f"{name} {field} {value:g}"
                for field, value in stated.items()
                if isinstance(value, (int, float)) and value is not False
            ]
            parts += [f"{name} topics {' '.join(triggers.topics)}"] if triggers.topics else []
    return "; ".join([*parts, *(f"note {text}" for text in instructions.notes)])


def acd_told(decision: Decision) -> str:
    """Return what the ACD is told besides, as the column `told` has it."""
    parts = [f"priority {decision.priority}"] if decision.priority else []
    parts += [f"notice {decision.notice}"] if decision.notice is not None else []
    until = decision.hold_until
    return "; ".join([*parts, *([] if until is None else [f"until {stamp(until)}"])])


def stamp(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros / 1e6, dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


ROWS = [row for file in FILES for row in rows_of(file)]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.file.stem}-{row.name}" for row in ROWS])
def test_the_decision_is_as_the_row_says(row: Row) -> None:
    decision = decided(row)
    assert_goes_to(row, decision)
    assert_reasons(row, decision)
    if len(row.cells) > 4:
        told = (instructions_told(decision.instructions), acd_told(decision))
        assert "; ".join(filter(None, told)) == row.cells[4]


def test_there_are_at_least_two_hundred_rows() -> None:
    assert sum(row.file is FILES[0] for row in ROWS) >= 200


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_policy_of_a_table_is_valid(file: Path) -> None:
    documents = {row.policies for row in ROWS if row.file is file}
    assert all(policies_of(file, each) for each in documents)


@pytest.mark.parametrize(
    "cells",
    [
        ("balance 0.97 loudly", "", "nova alone", "confidence_contained"),
        ("balance 0.97", "nova asleep", "nova alone", "confidence_contained"),
        ("balance 0.97", "", "somewhere", "confidence_contained"),
        ("balance 0.97", "", "nova or vega alone", "Confident"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_line(cells: tuple[str, ...]) -> None:
    row = ROWS[0]._replace(cells=cells, place="decisions.md:77")
    with pytest.raises(ValueError, match=r"decisions\.md:77: cannot read"):
        test_the_decision_is_as_the_row_says(row)
