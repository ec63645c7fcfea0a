"""Takes letters to one receiver: signed, tried again, those of a key in their order, several keys at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from runtime.clock import real_now
from runtime.metrics import METRICS
from schemas.envelope import Record
from schemas.webhooks import WebhookSubscription
from wfm_bridge.webhooks.message import CONTENT_TYPE, Message
from wfm_bridge.webhooks.post import Answer, Verdict
from wfm_bridge.webhooks.retry import delay_seconds, is_given_up
from wfm_bridge.webhooks.signing import secrets_of, signed

_Lane = tuple[str, int, bytes | None]
"""A key of a partition: what is in order."""


class Letter(NamedTuple):
    """A record and what is sent of it."""

    record: Record
    message: Message


class End(NamedTuple):
    """What became of a letter: the last answer, and after how many attempts."""

    letter: Letter
    answer: Answer
    attempts: int


class Sends(Protocol):
    """Sends once (`wfm_bridge.webhooks.post.Post`)."""

    async def send(self, headers: dict[str, str], body: bytes) -> Answer:
        """Return what came back."""


Ended = Callable[[End], Awaitable[None]]


class Courier:
    """Delivers letters until each has ended; `ended` is told, and the next of the same key waits for it.

    Where the receiver asks for a pause, all of its letters pause. draw: uniform in [0, 1), for jitter.
    """

    def __init__(
        self,
        subscription: WebhookSubscription,
        key: bytes,
        post: Sends,
        ended: Ended,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._subscription = subscription
        self._key = key
        self._post = post
        self._ended = ended
        self._draw = draw
        self._slots = asyncio.Semaphore(subscription.at_once)
        self._lanes: dict[_Lane, deque[Letter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._failing_since: float | None = None
        self._problem: BaseException | None = None
        self.last_failure = ""
        self.stopped = False

    def put(self, letter: Letter) -> None:
        """Take a letter on."""
        record = letter.record
        lane = (record.topic, record.partition, record.key)
        if lane in self._lanes:
            self._lanes[lane].append(letter)
            return
        self._lanes[lane] = deque([letter])
        task = asyncio.create_task(self._drain(lane))
        self._tasks.add(task)
        task.add_done_callback(self._lane_ended)

    def failing_seconds(self) -> float:
        """Return for how long nothing was delivered although it was tried; 0 where the last attempt was good."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    def oldest_seconds(self) -> float:
        """Return the age of the oldest letter that has not ended; 0 where there is none."""
        oldest = min((lane[0].record.timestamp_ms for lane in self._lanes.values()), default=None)
        return 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000)

    def check(self) -> None:
        """Raise what ended a lane that should not have ended."""
        if self._problem is not None:
            raise self._problem

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._problem = self._problem or task.exception()

    async def idle(self) -> None:
        """Wait until every letter has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def finish(self, seconds: float) -> None:
        """Begin no more attempts; give those under way so long to end, then drop all letters."""
        self.stopped = True
        try:
            async with asyncio.timeout(seconds):
                for _ in range(self._subscription.at_once):
                    await self._slots.acquire()
        except TimeoutError:
            pass
        await self.drop()

    async def drop(self) -> None:
        """Forget all letters."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lanes.clear()

    async def _drain(self, lane: _Lane) -> None:
        letters = self._lanes[lane]
        while letters:
            await self._ended(await self._deliver(letters[0]))
            letters.popleft()
        del self._lanes[lane]

    async def _deliver(self, letter: Letter) -> End:
        attempts = 0
        while True:
            answer = await self._attempted(letter)
            attempts += 1
            if answer.verdict in (Verdict.DELIVERED, Verdict.GONE) or self._is_over(letter, answer, attempts):
                return End(letter, answer, attempts)
            await asyncio.sleep(delay_seconds(attempts, self._draw(), answer.asked_seconds))

    async def _attempted(self, letter: Letter) -> Answer:
        """Attempt it once a slot is free and no pause is asked for; after the stop, never."""
        while True:
            await asyncio.sleep(max(0.0, self._paused_until - time.monotonic()))
            async with self._slots:
                if not self.stopped and time.monotonic() >= self._paused_until:
                    return await self._attempt(letter)
            if self.stopped:
                await asyncio.Event().wait()

    async def _attempt(self, letter: Letter) -> Answer:
        now = real_now()
        secrets = secrets_of(self._key, self._subscription, now)
        headers = signed(secrets, letter.message.id, now // 1_000_000, letter.message.body)
        answer = await self._post.send({**headers, "content-type": CONTENT_TYPE}, letter.message.body)
        METRICS.webhook_attempts.labels(self._subscription.subscription, _label(answer)).inc()
        if answer.verdict is Verdict.DELIVERED:
            self._failing_since = None
            return answer
        self.last_failure = answer.detail
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        if answer.asked_seconds is not None:
            self._paused_until = time.monotonic() + delay_seconds(1, 0.0, answer.asked_seconds)
        return answer

    def _is_over(self, letter: Letter, answer: Answer, attempts: int) -> bool:
        age = time.time() - letter.record.timestamp_ms / 1000
        return is_given_up(attempts, age, self._subscription, refused=answer.verdict is Verdict.REFUSED)


def _label(answer: Answer) -> str:
    """Return the outcome as a metric has it: a receiver must not make labels without end."""
    return answer.code if answer.status is None else f"http_{answer.status // 100}xx"
