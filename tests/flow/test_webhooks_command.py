"""`trunkline webhooks` as an operator runs it, on a real broker, with a receiver on loopback."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.settings import Settings
from schemas.envelope import iso_time
from schemas.topics import STAFFING, WEBHOOKS
from tests.flow.command import together, trunkline
from tests.flow.steps import Watch, new_room, write
from tests.support.receivers import LOOPBACK, Got, Receiver, Reply, is_signed
from tests.support.webhooks import sending, staffing

pytestmark = pytest.mark.xdist_group("webhooks_command")


@pytest.fixture
def room(bootstrap: str, redis_url: str, tmp_path: Path) -> Settings:
    return new_room(bootstrap, redis_url, tmp_path)


def webhooks(room: Settings, *arguments: str, allowed: str = LOOPBACK) -> subprocess.CompletedProcess[str]:
    env = {
        "TRUNKLINE_BOOTSTRAP": room.bootstrap, "TRUNKLINE_PREFIX": room.prefix, "TRUNKLINE_DATA": str(room.data),
        "TRUNKLINE_ALLOW_PRIVATE": allowed,
    }  # fmt: skip
    return trunkline("webhooks", *arguments, **env)


def added(room: Settings, url: str, *arguments: str) -> tuple[str, str]:
    """Add a subscription; return its id and secret."""
    done = webhooks(room, "add", "--tenant", "acme", "--url", url, "--topic", "wfm.staffing", *arguments)
    assert done.returncode == 0, done.stderr
    (secret,) = done.stdout.splitlines()
    name = next(line for line in done.stderr.splitlines() if line.startswith("wh-")).partition(":")[0]
    return name, secret


def test_a_subscription_is_added_tried_listed_given_a_new_secret_and_removed(room: Settings) -> None:
    with Receiver() as receiver:
        name, secret = added(room, receiver.url, "--queue", "billing", "--by", "ann")
        assert secret.startswith("whsec_")

        tried = webhooks(room, "test", name)
        assert (tried.returncode, tried.stderr) == (0, "")
        assert "answer   200: delivered" in tried.stdout
        assert "'ok'" in tried.stdout
        (got,) = receiver.got
        assert is_signed(got, secret)
        assert got.event["type"] == "io.trunkline.WebhookTest"
        assert got.event["data"] == {"subscription": name}

        rotated = webhooks(room, "rotate", name)
        assert rotated.returncode == 0, rotated.stderr
        new = rotated.stdout.strip()
        assert webhooks(room, "test", name).returncode == 0
        assert is_signed(receiver.got[-1], secret)
        assert is_signed(receiver.got[-1], new)
        assert new != secret

        receiver.behave = lambda _got: Reply(status=503, body=b"no room")
        refused = webhooks(room, "test", name)
        assert refused.returncode == 1
        assert "answer   503" in refused.stdout
        assert "no room" in refused.stdout
        assert refused.stderr.startswith("trunkline: the receiver did not take it")

        listed = webhooks(room, "list").stdout
        assert f"{name}  acme  wfm.staffing of billing  {receiver.url}  since 20" in listed
        assert secret not in listed
        assert webhooks(room, "remove", name).returncode == 0
        gone = webhooks(room, "list")
        assert (gone.stdout, "webhooks add --help" in gone.stderr) == ("", True)
    with Watch(room, WEBHOOKS) as watch:
        watch.to_end()
        assert not any(secret.encode() in (record.value or b"") for record in watch.records)


def test_what_was_not_taken_is_sent_again_under_the_same_ids(room: Settings) -> None:
    def behave(got: Got) -> Reply:
        return Reply() if got.event["data"]["revision"] > 2 else Reply(status=500)

    with Receiver(behave) as receiver:
        name, secret = added(room, receiver.url, "--max-attempts", "1")
        rows = [staffing("billing", revision) for revision in range(1, 6)]
        with sending(room), Watch(room, WEBHOOKS.dead_letter_name, STAFFING) as watch:
            write(room, STAFFING, *rows, staffing("billing", 1, tenant="other"))
            receiver.until("three", lambda: len(receiver.taken) == 3)
            watch.until("letters", lambda: sum(r.topic == WEBHOOKS.dead_letter_name for r in watch.records) == 2)
            third = next(r for r in watch.records if r.topic == STAFFING.name and r.offset == 2)
        first_ids = [got.id for got in receiver.got]

        assert webhooks(room, "replay", name, "--dead", "--dry-run").stdout == "2 messages would be sent\n"
        still = webhooks(room, "replay", name, "--dead")
        assert still.returncode == 1
        assert f"0 were delivered; {first_ids[0]} was not taken: status 500" in still.stderr
        assert "go on with --from 20" in still.stderr

        receiver.behave = lambda _got: Reply()
        receiver.taken.clear()
        assert webhooks(room, "replay", name, "--dead").stdout == "2 messages sent and taken\n"
        assert [got.id for got in receiver.taken] == first_ids[:2]

        receiver.taken.clear()
        since = iso_time(third.timestamp_ms * 1000)
        count = sum(r.topic == STAFFING.name and r.timestamp_ms >= third.timestamp_ms for r in watch.records) - 1
        assert webhooks(room, "replay", name, "--from", since).stdout == f"{count} messages sent and taken\n"
        assert [got.id for got in receiver.taken] == first_ids[-count:]
        assert all(is_signed(got, secret) for got in receiver.got)
        assert webhooks(room, "replay", name, "--from", since, "--to", since, "--dry-run").returncode == 0


def test_what_makes_no_sense_is_refused_with_the_remedy(room: Settings) -> None:
    acme = ("add", "--tenant", "acme", "--url")
    rows = ("--topic", "wfm.staffing")
    moves = ("--topic", "breakers.transitions", "--queue", "billing")
    cases = [
        ((*acme, "http://127.0.0.1/in", *rows), "10.0.0.0/8", "is loopback: no webhook goes there unless"),
        ((*acme, "https://169.254.169.254/latest", *rows), LOOPBACK, "link-local, where clouds keep their metadata"),
        ((*acme, "https://0x7f.1/in", *rows), "", "is loopback"),
        ((*acme, "https://a:b@wfm.example.com/", *rows), "", "before '@'"),
        ((*acme, "https://8.8.8.8/", "--topic", "wfm.events"), "", "there are wfm.staffing"),
        ((*acme, "https://8.8.8.8/", *moves), "", "tells of no queue"),
        ((*acme, "https://8.8.8.8/", *rows), "everything", "TRUNKLINE_ALLOW_PRIVATE"),
        (("test", "wh-none"), "", "there is no subscription 'wh-none'; there are: none"),
        (("replay", "wh-none"), "", "say from when"),
        (("replay", "wh-none", "--from", "yesterday"), "", "write it as 2026-12-01T08:00:00Z"),
        (("enable", "wh-none"), "", "there is no subscription"),
    ]
    with ThreadPoolExecutor(len(cases)) as threads:
        ended = list(threads.map(lambda case: webhooks(room, *case[0], allowed=case[1]), cases))
    for (arguments, _allowed, said), done in zip(cases, ended, strict=True):
        assert done.returncode in (1, 2), arguments
        assert said in " ".join(done.stderr.split()), (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert webhooks(room, "list").stdout == ""


def test_a_command_with_another_key_says_so(room: Settings, tmp_path: Path) -> None:
    with Receiver() as receiver:
        name, _secret = added(room, receiver.url)
        env = {"TRUNKLINE_WEBHOOK_KEY": "another key altogether", "TRUNKLINE_BOOTSTRAP": room.bootstrap}
        done = trunkline("webhooks", "test", name, "--prefix", room.prefix, **env)
        assert done.returncode == 1
        assert "was added with another key" in done.stderr
        assert not receiver.got


def test_the_commands_help_teaches() -> None:
    names = ("add", "list", "test", "replay", "rotate", "enable", "remove")
    for name, done in zip(names, together([["webhooks", name, "--help"] for name in names]), strict=True):
        assert (done.returncode, "--bootstrap" in done.stdout) == (0, True), name
    assert "trunkline webhooks add --tenant acme" in trunkline("webhooks", "--help").stdout
