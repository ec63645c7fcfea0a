"""API keys: what is kept of them, who they let in, and the command that makes and revokes them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime import keys as keys_module
from runtime.errors import ApiKeysError
from runtime.keys import KEY_BYTES, PREFIX, Keyring, Scope, create_key, read_keys, revoke_key
from runtime.settings import Settings
from trunkline.keys import keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "api-keys.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[dt.datetime]:
    """Now, as keys see it."""
    now = [dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)]
    monkeypatch.setattr(keys_module, "_now", lambda: now[0])
    return now


def tenant_of(ring: Keyring, key: str) -> str | None:
    found = ring.find(key)
    return None if found is None else found.tenant


# The file.


def test_a_key_lets_in_to_the_tenant_that_it_was_made_for_and_to_no_other(path: Path) -> None:
    acme, beta = create_key(path, "desk", "acme"), create_key(path, "bot", "beta")
    ring = Keyring(path)
    assert (tenant_of(ring, acme), tenant_of(ring, beta)) == ("acme", "beta")
    for wrong in (
        "",
        acme[:-1],
        acme + "x",
        acme.upper(),
        "tlk_",
        hashlib.sha256(acme.encode()).hexdigest(),
        "ü\udcff",
    ):
        assert tenant_of(ring, wrong) is None


def test_the_file_has_the_digest_alone_and_nobody_else_may_read_it(path: Path) -> None:
    key = create_key(path, "desk", "acme")
    assert key.startswith(PREFIX)
    assert len(key) - len(PREFIX) >= KEY_BYTES * 8 / 6
    text = path.read_text()
    assert key not in text
    assert key.removeprefix(PREFIX) not in text
    (kept,) = json.loads(text)["keys"]
    assert kept["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert (kept["name"], kept["tenant"], kept["expires_at"]) == ("desk", "acme", None)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    create_key(path, "other", "acme")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name], "nothing else is left there"


def test_no_two_keys_are_the_same(path: Path) -> None:
    assert len({create_key(path, f"k{n}", "acme") for n in range(50)}) == 50


def test_a_key_ends_when_it_expires(path: Path, clock: list[dt.datetime]) -> None:
    key = create_key(path, "desk", "acme", clock[0] + dt.timedelta(days=1))
    ring = Keyring(path)
    assert tenant_of(ring, key) == "acme"
    clock[0] += dt.timedelta(days=1, microseconds=-1)
    assert tenant_of(ring, key) == "acme"
    clock[0] += dt.timedelta(microseconds=1)
    assert tenant_of(ring, key) is None


def test_a_change_of_the_file_counts_at_once(path: Path) -> None:
    ring = Keyring(path)
    assert tenant_of(ring, "tlk_any") is None, "there is no file yet"
    first = create_key(path, "first", "acme")
    assert tenant_of(ring, first) == "acme"
    second = create_key(path, "second", "beta")
    assert tenant_of(ring, second) == "beta"
    assert revoke_key(path, "first").tenant == "acme"
    assert (tenant_of(ring, first), tenant_of(ring, second)) == (None, "beta")
    path.unlink()
    assert tenant_of(ring, second) is None


def test_the_file_is_read_only_when_it_has_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = create_key(path, "desk", "acme")
    ring = Keyring(path)
    assert tenant_of(ring, key) == "acme"
    monkeypatch.setattr(keys_module, "read_keys", lambda _path: pytest.fail("it was read again"))
    assert tenant_of(ring, key) == "acme"


SHORT = '{"keys": [{"name": "a", "tenant": "t", "sha256": "short", "created_at": "2026-01-01T00:00:00Z"}]}'


@pytest.mark.parametrize("text", ["", "{", '{"keys": [{"name": "a"}]}', '{"keys": [], "more": 1}', SHORT])
def test_a_file_that_makes_no_sense_lets_nobody_in_and_is_named(
    path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = create_key(path, "desk", "acme")
    ring = Keyring(path)
    assert tenant_of(ring, key) == "acme"
    path.write_text(text)
    assert tenant_of(ring, key) is None
    assert tenant_of(ring, key) is None
    (line,) = (record.getMessage() for record in caplog.records)
    assert str(path) in line
    for refused in (lambda: create_key(path, "b", "acme"), lambda: revoke_key(path, "desk")):
        with pytest.raises(ApiKeysError, match="trunkline keys create"):
            refused()
    assert path.read_text() == text, "what was there is left to be put right"


@pytest.mark.parametrize(("name", "tenant"), [("", "acme"), ("a b", "acme"), ("x" * 101, "acme"), ("ok", "")])
def test_a_name_that_makes_no_sense_is_refused(path: Path, name: str, tenant: str) -> None:
    with pytest.raises(ApiKeysError, match="no key can be called"):
        create_key(path, name, tenant)
    assert not path.exists()


def test_a_name_stands_for_one_key(path: Path) -> None:
    create_key(path, "desk", "acme")
    with pytest.raises(ApiKeysError, match="already: choose another name, or revoke"):
        create_key(path, "desk", "beta")
    with pytest.raises(ApiKeysError, match=r"no key 'bot' in .*; there are: desk"):
        revoke_key(path, "bot")


def test_keys_that_are_made_at_the_same_time_are_all_kept(path: Path) -> None:
    def work(who: int) -> None:
        for nth in range(20):
            create_key(path, f"{who}-{nth}", "acme")

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_keys(path)) == 80


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ApiKeysError, match=str(tmp_path / "file")):
        create_key(tmp_path / "file" / "api-keys.json", "desk", "acme")


def test_the_file_is_where_the_setting_says_else_in_the_data_folder(tmp_path: Path) -> None:
    assert Settings(data=tmp_path).api_keys_file == tmp_path / "api-keys.json"
    assert Settings(data=tmp_path, api_keys=tmp_path / "other.json").api_keys_file == tmp_path / "other.json"


# The command.


def run(*arguments: str, path: Path, ends: int = 0) -> Result:
    done = CliRunner().invoke(keys, [*arguments, "--data", str(path.parent)])
    assert done.exit_code == ends, done.output
    return done


def test_the_key_is_printed_alone_when_it_is_made_and_never_again(path: Path) -> None:
    made = run("create", "desk-17", "--tenant", "acme", "--days", "30", path=path)
    key = made.stdout.strip()
    assert tenant_of(Keyring(path), key) == "acme"
    assert "desk-17: read:sessions of acme, until 2" in made.stderr
    create_key(path, "old", "beta", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    create_key(path, "for-ever", "beta")
    listed = run("list", path=path).stdout.splitlines()
    assert [line.split()[:4] for line in listed] == [
        ["desk-17", "acme", "read:sessions", "made"],
        ["old", "beta", "read:sessions", "made"],
        ["for-ever", "beta", "read:sessions", "made"],
    ]
    assert "EXPIRED 2020-01-01T00:00:00Z" in listed[1]
    assert listed[2].endswith("until it is revoked")
    assert not any(key in line for line in listed)


def test_a_revoked_key_lets_nobody_in(path: Path) -> None:
    key = run("create", "desk", "--tenant", "acme", path=path).stdout.strip()
    assert run("revoke", "desk", path=path).stdout == "desk: revoked, was read:sessions of acme\n"
    assert tenant_of(Keyring(path), key) is None
    assert "there are no keys in" in run("list", path=path).stderr


def test_a_mistake_is_told_with_the_remedy(path: Path) -> None:
    assert "--tenant" in run("create", "desk", path=path, ends=2).stderr
    run("create", "desk", "--tenant", "acme", path=path)
    again = run("create", "desk", "--tenant", "acme", path=path, ends=1)
    assert isinstance(again.exception, ApiKeysError)


# Scopes.


def test_a_key_from_before_scopes_is_for_contacts_alone(path: Path) -> None:
    create_key(path, "desk", "acme")
    kept = json.loads(path.read_text())
    del kept["keys"][0]["scopes"]
    path.write_text(json.dumps(kept))
    assert read_keys(path)[0].scopes == (Scope.READ_SESSIONS,)


def test_a_key_has_the_scopes_that_it_was_made_with(path: Path) -> None:
    key = run("create", "wfm", "--tenant", "*", "--scope", "read:wfm", "--scope", "write:wfm", path=path).stdout.strip()
    found = Keyring(path).find(key)
    assert found is not None
    assert (found.tenant, found.scopes) == ("*", (Scope.READ_WFM, Scope.WRITE_WFM))
    assert "read:wfm,write:wfm" in run("list", path=path).stdout
    assert "read:wfm" in run("create", "x", "--tenant", "acme", "--scope", "all", path=path, ends=2).stderr


def test_no_key_is_for_the_contacts_of_all_tenants(path: Path) -> None:
    with pytest.raises(ApiKeysError, match="give 'desk' one tenant"):
        create_key(path, "desk", "*")
    assert not path.exists()
