"""The command line as a person uses it: processes, standard input and output, exit codes."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.topics import OFFERED, TOPICS
from tests.flow.command import ENV, PATIENCE_SECONDS, together, trunkline
from tests.flow.steps import CODEC, new_room, offered
from tests.support.services import ServiceProcess
from trunkline.cli import _COMMANDS
from trunkline.installation import SERVICES

pytestmark = pytest.mark.xdist_group("command_line")

_GROUPS = ("topics", "classifier", "models", "policy", "thresholds", "keys", "breakers", "providers", "wfm", "webhooks")
"""Commands that only hold others: the options are theirs."""


def at(settings: Settings) -> list[str]:
    return ["--bootstrap", settings.bootstrap, "--prefix", settings.prefix]


def is_one_clear_line(done: subprocess.CompletedProcess[str]) -> bool:
    said = [line for line in done.stderr.splitlines() if not line.startswith("%")]  # librdkafka's own lines
    return done.returncode == 1 and len(said) == 1 and "Traceback" not in done.stderr


def nobody_listens() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def offer_line(name: str, **changes: Any) -> str:
    event = {"interaction_id": name, "tenant": "acme", "channel": "chat", "text": "hello", "occurred_at": 5}
    return json.dumps({**event, **changes})


# Topics.


def test_topics_are_created_once_and_listed(bootstrap: str, redis_url: str, tmp_path: Path) -> None:
    room = new_room(bootstrap, redis_url, tmp_path, topics=False)
    first = trunkline("topics", "create", *at(room), "--partitions", "2")
    again = trunkline("topics", "create", *at(room))
    expected = len(TOPICS) + sum(topic.dead_letters for topic in TOPICS) + 1
    assert (first.returncode, again.returncode) == (0, 0)
    assert f"created {room.prefix}interactions.offered.dlq" in first.stdout
    assert f"{expected} topics created, 0 were there" in first.stdout
    assert f"0 topics created, {expected} were there" in again.stdout
    listed = trunkline("topics", "list")
    assert {line.split()[0] for line in listed.stdout.splitlines()} == {topic.name for topic in TOPICS}


# Produce and tail.


def test_lines_that_are_valid_are_written_and_the_others_are_named_by_number(settings: Settings) -> None:
    lines = [
        offer_line("one"),
        "{not json",
        offer_line("two", colour="blue"),
        "",
        offer_line("three", occurred_at="yesterday"),
        offer_line("four", channel="telepathy"),
        '["a", "list"]',
        json.dumps({"type": "Turn", "number": 1}),
        json.dumps({"topic": "interactions.offered", "event": json.loads(offer_line("five")), "type": "Offered"}),
        json.dumps({"interaction_id": "six"}),
        offer_line("seven"),
    ]
    done = trunkline("produce", OFFERED.name, *at(settings), given="\n".join(lines) + "\n")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told = dict(re.findall(r"^line (\d+) is not written: (.+)$", done.stderr, re.MULTILINE))
    assert sorted(map(int, told)) == [2, 3, 5, 6, 7, 8, 10]
    assert "JSON" in told["2"]
    assert "colour" in told["3"]
    assert "occurred_at" in told["5"]
    assert "channel" in told["6"]
    assert "object" in told["7"]
    assert "Offered" in told["8"]
    assert "tenant" in told["10"]
    assert "3 records written" in done.stderr
    assert "7 lines refused" in done.stderr

    shown = trunkline("tail", OFFERED.name, *at(settings), "--from-beginning", "--until-idle", "0.5")
    assert shown.returncode == 0
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert sorted(record["event"]["interaction_id"] for record in records) == ["five", "one", "seven"]
    assert {(record["topic"], record["type"]) for record in records} == {(OFFERED.name, "Offered")}
    assert all(record["key"] == record["event"]["interaction_id"] for record in records)


def test_what_tail_prints_can_be_produced_again(settings: Settings) -> None:
    trunkline("produce", OFFERED.name, *at(settings), given=offer_line("there") + "\n")
    shown = trunkline("tail", OFFERED.name, *at(settings), "--from-beginning", "--until-idle", "0.5")
    done = trunkline("produce", OFFERED.name, *at(settings), given=shown.stdout)
    assert (done.returncode, done.stderr.strip()) == (
        0,
        f"1 records written to {settings.prefix}{OFFERED.name}, 0 lines refused",
    )


def test_bytes_that_are_no_text_are_one_refused_line(settings: Settings) -> None:
    given = b"\xff\xfe\n" + offer_line("after").encode() + b"\n" + b'{"interaction_id": "\xc3"}\n'
    done = trunkline("produce", OFFERED.name, *at(settings), given=given)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert re.findall(r"^line (\d+) is not written", done.stderr, re.MULTILINE) == ["1", "3"]
    assert "1 records written" in done.stderr


def test_a_dead_letter_is_shown_with_its_reason_and_its_bytes(settings: Settings) -> None:
    writer = Writer(settings, "test")
    headers = [("dlq_reason", b"unknown_framing"), ("dlq_offset", b"17")]
    writer.write_bytes(OFFERED.dead_letter_name, b"\xff", b"\x00rubbish", headers)
    writer.write_bytes(OFFERED.dead_letter_name, b"k", CODEC.encode(offered("fine", "acme")), headers)
    writer.write_bytes(OFFERED.dead_letter_name, None, None, headers)
    writer.close()
    done = trunkline("tail", OFFERED.dead_letter_name, *at(settings), "--from-beginning", "--until-idle", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(record["dead_letter"] == {"reason": "unknown_framing", "offset": "17"} for record in records)
    undecodable = next(record for record in records if "undecodable" in record)
    assert bytes.fromhex(undecodable["bytes"]) == b"\x00rubbish"
    assert {record.get("type") for record in records} == {"Offered", None}


def test_a_reader_that_leaves_early_ends_tail_without_a_word(settings: Settings) -> None:
    trunkline("produce", OFFERED.name, *at(settings), given="".join(offer_line(f"n{n}") + "\n" for n in range(2000)))
    argv = [sys.executable, "-m", "trunkline", "tail", OFFERED.name, *at(settings), "--from-beginning"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        try:
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("command", ["tail", "produce"])
def test_a_topic_that_is_none_of_ours_is_refused_with_the_way_to_the_names(command: str, settings: Settings) -> None:
    done = trunkline(command, "interactions.offred", *at(settings))
    assert done.returncode == 2
    assert "'interactions.offred' is no topic of Trunkline" in done.stderr
    assert "trunkline topics list" in done.stderr


# What is missing is named.

TOOLS = [("tail", OFFERED.name), ("produce", OFFERED.name), ("topics", "create"), ("simulate", "--contacts", "1"),
         ("simulate-fault", "billing-bot", "outage")]  # fmt: skip


def with_data(command: Sequence[str], folder: Path) -> list[str]:
    """A command, and for a service that keeps state the folder for it."""
    return [*command, *(["--data", str(folder)] if command[0] in SERVICES and command[0] != "bridge" else [])]


def test_without_a_broker_a_tool_says_so_in_one_line_and_ends(tmp_path: Path) -> None:
    address = nobody_listens()
    commands = [*TOOLS, ("bridge",)]
    ended = together([[*with_data(command, tmp_path), "--bootstrap", address] for command in commands])
    for command, done in zip(commands, ended, strict=True):
        said = [line for line in done.stderr.splitlines() if address in line and not line.startswith("%")]
        assert (done.returncode, len(said)) == (1, 1), (command, done.stderr)
        assert "does not answer" in said[0], (command, said)
        assert "--bootstrap or TRUNKLINE_BOOTSTRAP" in said[0], (command, said)
        assert "Traceback" not in done.stderr, command


def test_without_a_broker_a_service_waits_says_so_and_ends_when_told(tmp_path: Path) -> None:
    address = nobody_listens()
    settings = Settings(bootstrap=address, data=tmp_path)
    services = [ServiceProcess(settings, name).start() for name in ("router", "clock", "health")]
    try:
        deadline = time.monotonic() + 40
        for service in services:
            while f"waits: Kafka at {address} does not answer" not in service.tail():
                assert service.process is not None
                assert service.process.poll() is None, service.tail()
                assert time.monotonic() < deadline, service.tail()
                time.sleep(0.1)
            assert "TRUNKLINE_BOOTSTRAP" in service.tail()
    finally:
        for service in services:
            if service.process is not None:
                service.process.terminate()
        codes = [service.stop() for service in services]
    assert set(codes) <= {0, 1}
    assert all("Traceback" not in service.log.read_text() for service in services)


def test_without_its_topics_a_command_names_the_command_that_creates_them(
    bootstrap: str, redis_url: str, tmp_path: Path
) -> None:
    room = new_room(bootstrap, redis_url, tmp_path, topics=False)
    commands = [command for command in TOOLS if command[0] != "topics"] + [(service,) for service in SERVICES]
    ended = together([[*with_data(command, tmp_path), *at(room)] for command in commands])
    for command, done in zip(commands, ended, strict=True):
        assert done.returncode == 1, command
        assert "Traceback" not in done.stderr, command
        last = done.stderr.splitlines()[-1]
        assert room.prefix in last, (command, last)
        assert "run 'trunkline topics create'" in last, (command, last)


def test_a_setting_in_the_environment_that_makes_no_sense_is_named() -> None:
    done = trunkline("tail", OFFERED.name, "--until-idle", "1", TRUNKLINE_SLOT="first")
    assert is_one_clear_line(done), done.stderr
    assert "TRUNKLINE_SLOT" in done.stderr
    assert "first" in done.stderr


def test_every_command_explains_itself() -> None:
    commands = [[], ["topics"], ["topics", "create"], ["topics", "list"], *([name] for name in _COMMANDS)]
    for command, done in zip(commands, together([[*command, "--help"] for command in commands]), strict=True):
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout.startswith("Usage: trunkline"), command
        assert "Options" in done.stdout, command
        groups = ([], *([name] for name in _GROUPS))
        if command not in (*groups, ["topics", "list"], ["decide"]):
            assert "--prefix" in done.stdout or "--data" in done.stdout, command
