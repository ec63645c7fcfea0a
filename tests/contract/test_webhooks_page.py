"""docs/webhooks.md tells receivers the truth: its check takes what we sign and refuses what we do not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.webhooks import KEY
from wfm_bridge.webhooks.signing import derived, shown, signed
from wfm_bridge.webhooks.subscriptions import OFFERED

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRETS = [derived(KEY, "wh-1", number) for number in (2, 1)]
BODY = '{"specversion":"1.0","subject":"acme|büro"}'.encode()


@pytest.fixture(scope="module")
def is_genuine() -> Callable[[dict[str, str], bytes, str], bool]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Callable[[dict[str, str], bytes, str], bool]] = {}
    exec(code, names)  # noqa: S102 - the page is ours
    return names["is_genuine"]


def test_the_pages_check_takes_what_is_signed(is_genuine: Callable[[dict[str, str], bytes, str], bool]) -> None:
    headers = signed(SECRETS, "m-1", int(time.time()), BODY)
    assert all(is_genuine(headers, BODY, shown(secret)) for secret in SECRETS)


def test_the_pages_check_refuses_all_else(is_genuine: Callable[[dict[str, str], bytes, str], bool]) -> None:
    headers, secret = signed(SECRETS, "m-1", int(time.time()), BODY), shown(SECRETS[0])
    old = signed(SECRETS, "m-1", int(time.time()) - 301, BODY)
    assert not is_genuine(headers, BODY + b" ", secret)
    assert not is_genuine(headers | {"webhook-id": "m-2"}, BODY, secret)
    assert not is_genuine(headers | {"webhook-signature": "v1,"}, BODY, secret)
    assert not is_genuine(headers, BODY, shown(b"x" * 32))
    assert not is_genuine(old, BODY, secret)


def test_the_page_names_the_topics_that_there_are() -> None:
    listed = next(line for line in PAGE.splitlines() if line.startswith("Topics: "))
    assert re.findall(r"`([a-z.]+)`", listed) == list(OFFERED)
