"""The courier: order per key, several keys at once, pauses, ends. A script stands in for the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from runtime.clock import real_now
from schemas.envelope import Record
from tests.support.webhooks import KEY, subscription
from wfm_bridge.webhooks.courier import Courier, End, Letter
from wfm_bridge.webhooks.message import Message
from wfm_bridge.webhooks.post import Answer, Verdict

TAKEN = Answer(Verdict.DELIVERED, "http_200", "delivered", 200)
FAILED = Answer(Verdict.FAILED, "http_500", "status 500", 500)
MALFORMED = Answer(Verdict.REFUSED, "http_400", "status 400", 400)
GONE = Answer(Verdict.GONE, "http_410", "gone", 410)


def letter(key: str, offset: int, *, age_seconds: float = 0.0) -> Letter:
    written = real_now() // 1000 - int(age_seconds * 1000)
    record = Record("wfm.staffing", 0, offset, key.encode(), b"v", timestamp_ms=written)
    return Letter(record, Message(f"{key}-{offset}", b"{}"))


class Scripted:
    """Answers by the message's id, after a turn of the loop; notes the order, and the most requests at once."""

    def __init__(self, answers: Callable[[str], Answer] = lambda _name: TAKEN) -> None:
        self.answers = answers
        self.sent: list[str] = []
        self.now = self.most = 0
        self.hold: asyncio.Event | None = None

    async def send(self, headers: dict[str, str], body: bytes) -> Answer:
        assert body == b"{}"
        self.sent.append(headers["webhook-id"])
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if self.hold is not None:
                await self.hold.wait()
            return self.answers(headers["webhook-id"])
        finally:
            self.now -= 1


class Ends:
    def __init__(self) -> None:
        self.all: list[tuple[str, str, int]] = []

    async def __call__(self, end: End) -> None:
        self.all.append((end.letter.message.id, end.answer.code, end.attempts))


def courier(post: Scripted, ended: Any, **changes: Any) -> Courier:
    return Courier(subscription(**changes), KEY, post, ended, draw=lambda: 0.0)


async def until(reached: Callable[[], object]) -> None:
    for _ in range(10_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


def failing(name: str, times: int, answer: Answer = FAILED) -> Callable[[str], Answer]:
    """One message fails so often, all others are taken."""
    left = [times]

    def answers(each: str) -> Answer:
        if each != name or left[0] == 0:
            return TAKEN
        left[0] -= 1
        return answer

    return answers


def test_a_message_that_fails_holds_up_its_own_key_and_no_other() -> None:
    async def run() -> None:
        post, ends = Scripted(failing("a-0", 1)), Ends()
        sends = courier(post, ends)
        for each in (letter("a", 0), letter("a", 1), letter("b", 2), letter("a", 3), letter("b", 4)):
            sends.put(each)
        await sends.idle()
        assert post.sent == ["a-0", "b-2", "b-4", "a-0", "a-1", "a-3"]
        assert ends.all[2:] == [("a-0", "http_200", 2), ("a-1", "http_200", 1), ("a-3", "http_200", 1)]

    asyncio.run(run())


def test_so_many_requests_are_under_way_as_the_subscription_says() -> None:
    async def run() -> None:
        post = Scripted()
        sends = courier(post, Ends(), at_once=3)
        for number in range(20):
            sends.put(letter(f"key-{number}", number))
        await sends.idle()
        assert post.most == 3
        assert len(post.sent) == 20

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "changes", "age_seconds", "attempts"),
    [
        (FAILED, {"max_attempts": 2}, 0.0, 2),
        (FAILED, {"max_age_seconds": 60.0}, 61.0, 3),
        (GONE, {}, 0.0, 1),
    ],
)
def test_a_message_ends_when_its_policy_says_so(
    answer: Answer, changes: dict[str, Any], age_seconds: float, attempts: int
) -> None:
    async def run() -> None:
        ends = Ends()
        sends = courier(Scripted(failing("a-0", 99, answer)), ends, **changes)
        sends.put(letter("a", 0, age_seconds=age_seconds))
        sends.put(letter("a", 1))
        await sends.idle()
        assert ends.all == [("a-0", answer.code, attempts), ("a-1", "http_200", 1)]

    asyncio.run(run())


def test_a_pause_that_the_receiver_asks_for_is_kept_by_all_keys() -> None:
    async def run() -> None:
        pause = FAILED._replace(asked_seconds=0.4)
        post = Scripted(failing("a-0", 1, pause))
        sends = courier(post, Ends(), at_once=1)
        began = asyncio.get_running_loop().time()
        sends.put(letter("a", 0))
        sends.put(letter("b", 1))
        await sends.idle()
        assert post.sent[0] == "a-0"
        assert asyncio.get_running_loop().time() - began >= 0.4
        assert sorted(post.sent) == ["a-0", "a-0", "b-1"]

    asyncio.run(run())


def test_when_it_is_to_finish_what_is_under_way_may_end_and_nothing_else_begins() -> None:
    async def run() -> None:
        post, ends = Scripted(), Ends()
        post.hold = asyncio.Event()
        sends = courier(post, ends, at_once=2)
        for number in range(5):
            sends.put(letter(f"key-{number}", number))
        await until(lambda: post.now == 2)
        finished = asyncio.create_task(sends.finish(30.0))
        await asyncio.sleep(0)
        post.hold.set()
        await finished
        assert [name for name, *_ in ends.all] == ["key-0-0", "key-1-1"]
        assert len(post.sent) == 2

    asyncio.run(run())


def test_what_does_not_end_in_time_is_dropped() -> None:
    async def run() -> None:
        post, ends = Scripted(), Ends()
        post.hold = asyncio.Event()
        sends = courier(post, ends)
        sends.put(letter("a", 0))
        await until(lambda: post.now == 1)
        await sends.finish(0.01)
        assert (ends.all, post.now) == ([], 0)

    asyncio.run(run())


def test_it_tells_since_when_nothing_is_taken_and_how_old_what_waits_is() -> None:
    async def run() -> None:
        post = Scripted(failing("a-0", 1))
        sends = courier(post, Ends())
        assert (sends.failing_seconds(), sends.oldest_seconds()) == (0.0, 0.0)
        sends.put(letter("a", 0, age_seconds=100.0))
        sends.put(letter("b", 1))
        await until(lambda: len(post.sent) == 2)
        assert 100.0 <= sends.oldest_seconds() < 110.0
        await sends.idle()
        assert (sends.failing_seconds(), sends.oldest_seconds()) == (0.0, 0.0)
        post.answers = lambda _name: FAILED
        sends.put(letter("a", 2))
        await until(sends.failing_seconds)
        assert sends.last_failure == "status 500"
        await sends.drop()

    asyncio.run(run())


def test_a_fault_of_our_own_comes_to_light() -> None:
    async def broken(_end: End) -> None:
        raise ZeroDivisionError

    async def run() -> None:
        sends = courier(Scripted(), broken)
        sends.check()
        sends.put(letter("a", 0))
        with pytest.raises(ZeroDivisionError):
            await sends.idle()
        with pytest.raises(ZeroDivisionError):
            sends.check()

    asyncio.run(run())
