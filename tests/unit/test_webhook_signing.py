"""Secrets and signatures of webhooks."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from runtime.errors import SettingsError
from runtime.settings import Settings
from tests.support.webhooks import KEY, subscription
from wfm_bridge.webhooks.signing import check_of, derived, installation_key, is_key_of, secrets_of, shown, signed


def test_a_message_is_signed_as_the_scheme_has_it() -> None:
    """The example that the libraries of Standard Webhooks are tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_make_two_signatures_and_each_is_its_own() -> None:
    one, other = (signed([each], "m", 1, b"{}")["webhook-signature"] for each in (b"a" * 32, b"b" * 32))
    both = signed([b"a" * 32, b"b" * 32], "m", 1, b"{}")["webhook-signature"]
    assert both.split(" ") == [one, other]
    assert one != other


@pytest.mark.parametrize(("message_id", "seconds", "body"), [("n", 1, b"{}"), ("m", 2, b"{}"), ("m", 1, b"[]")])
def test_a_signature_is_over_id_time_and_body(message_id: str, seconds: int, body: bytes) -> None:
    other = signed([KEY], message_id, seconds, body)
    assert other["webhook-signature"] != signed([KEY], "m", 1, b"{}")["webhook-signature"]


def test_each_subscription_and_generation_has_a_secret_of_its_own() -> None:
    found = {derived(key, name, number) for key in (KEY, b"k" * 16) for name in ("wh-1", "wh-11") for number in (1, 11)}
    assert len(found) == 8
    assert all(len(secret) == 32 for secret in found)
    assert base64.b64decode(shown(derived(KEY, "wh-1", 1)).removeprefix("whsec_")) == derived(KEY, "wh-1", 1)


def test_the_secret_before_signs_until_its_time_is_over() -> None:
    rotated = subscription(secret_generation=3, previous_secret_until=1000)
    name = rotated.subscription
    assert secrets_of(KEY, rotated, 999) == [derived(KEY, name, 3), derived(KEY, name, 2)]
    assert secrets_of(KEY, rotated, 1000) == [derived(KEY, name, 3)]
    assert len(secrets_of(KEY, subscription(), 0)) == 1


def test_another_key_is_known_as_such_and_the_topic_holds_no_secret() -> None:
    made = subscription()
    assert is_key_of(KEY, made)
    assert not is_key_of(b"x" * 32, made)
    secret = derived(KEY, made.subscription, 1)
    written = msgspec.json.encode(made)
    assert secret not in written
    assert shown(secret).encode() not in written
    assert made.secret_check == check_of(secret)


def test_a_key_is_made_once_for_those_alone_who_own_the_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new")
    with pytest.raises(SettingsError, match="TRUNKLINE_WEBHOOK_KEY is not set"):
        installation_key(settings)
    key = installation_key(settings, make=True)
    assert installation_key(settings) == installation_key(settings, make=True) == key
    file = tmp_path / "new" / "webhooks.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["webhooks.key"]
    assert installation_key(settings.model_copy(update={"webhook_key": SecretStr("of the environment")})) != key


def test_a_key_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="15 bytes"):
        installation_key(Settings(data=tmp_path, webhook_key=SecretStr("fifteen bytes!!")))
