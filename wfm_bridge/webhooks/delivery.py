"""One subscription: its own consumer, connections and place. What becomes of one is nothing to the others.

A place is committed once the receiver has said 2xx, or the dead letter is written, of all before it. So a crash sends
again what was under way, under the same ids, and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from runtime.clock import real_now
from runtime.group import GroupReader, Turn
from runtime.kafka import Record
from runtime.metrics import METRICS
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.conversations import Alert, AlertKind
from schemas.envelope import dead_letter, iso_time
from schemas.errors import DecodeError, RecordError
from schemas.topics import ALERTS, WEBHOOKS, Effect, Topic
from schemas.webhooks import WebhookDisabled, WebhookSubscription
from wfm_bridge.webhooks.addresses import networks_of, receiver_of
from wfm_bridge.webhooks.courier import Courier, End, Letter
from wfm_bridge.webhooks.ledger import Ledger
from wfm_bridge.webhooks.message import message_of
from wfm_bridge.webhooks.outbox import Outbox
from wfm_bridge.webhooks.post import Post, Verdict
from wfm_bridge.webhooks.subscriptions import topics_of, wants

log = logging.getLogger(__name__)

SERVICE = "webhooks-sender"
WINDOW = 500
"""Messages taken on and not done: what waits in memory while a receiver is away."""
AHEAD = 10_000
"""Messages done behind one that is not: what the other keys may go on by while a key is stuck. A crash repeats them."""
ALERT_SECONDS = 300.0
GRACE_SECONDS = 3.0
"""For requests under way when it is to end: less than the 6 s after which another slot takes over."""
_TURN_SECONDS = 0.2
_BUSY_SECONDS = 0.05
"""What ended is committed so soon: a crash repeats what ended since."""

T = TypeVar("T")


def group_of(subscription: str) -> str:
    """Return the consumer group of a subscription, before the prefix."""
    return f"webhooks-{subscription}"


class Delivery:
    """Delivers a subscription from its place on until it is stopped."""

    def __init__(
        self, settings: Settings, subscription: WebhookSubscription, key: bytes, codec: Codec, outbox: Outbox
    ) -> None:
        """Raises WebhookError or SettingsError for a subscription that cannot be delivered as it is."""
        self.subscription = subscription
        self._settings = settings
        self._codec = codec
        self._outbox = outbox
        self._topics: Mapping[str, Topic] = {
            each.name: each for each in topics_of(subscription.topics, subscription.queues)
        }
        allowed = networks_of(settings.allow_private)
        receiver = receiver_of(subscription.url)
        self.host = receiver.host
        self._post = Post(receiver, allowed, subscription.at_once)
        self._courier = Courier(subscription, key, self._post, self._ended)
        self._ledger = Ledger()
        self._stop = asyncio.Event()
        self._alerted = False
        self._name = subscription.subscription
        METRICS.webhook_oldest_seconds.labels(self._name).set_function(self._courier.oldest_seconds)
        METRICS.webhook_failing_seconds.labels(self._name).set_function(self._courier.failing_seconds)

    def stop(self) -> None:
        """Have `run` come to its end."""
        self._stop.set()

    async def run(self) -> None:
        """Deliver until it is stopped or the receiver is gone; raises FencedError or KafkaUnavailableError."""
        thread = ThreadPoolExecutor(1, self._name)
        names = list(self._topics)
        group = group_of(self._name)
        try:
            reader = await _on(
                thread, lambda: GroupReader(self._settings, group, names, starts_at=self.subscription.starts_at)
            )
            try:
                while not self._stop.is_set():
                    await self._take(await _on(thread, self._turn_of(reader)))
                    self._courier.check()
                    await self._watch()
            finally:
                await self._courier.finish(GRACE_SECONDS)
                await _on(thread, lambda: reader.close(self._ledger.positions()))
        finally:
            await self._post.close()
            thread.shutdown(wait=False)

    def _turn_of(self, reader: GroupReader) -> Callable[[], Turn]:
        done, waiting = self._ledger.positions(), self._ledger.waiting
        room = max(0, WINDOW - waiting) if self._ledger.ahead < AHEAD else 0
        return lambda: reader.turn(done, room, _BUSY_SECONDS if waiting else _TURN_SECONDS)

    async def _take(self, turn: Turn) -> None:
        if turn.anew:
            await self._courier.drop()
            self._ledger.forget()
        for record in turn.records:
            place = (record.topic, record.partition)
            letter = self._letter(record)
            if letter is None:
                self._ledger.skip(place, record.offset)
            else:
                self._ledger.take(place, record.offset)
                self._courier.put(letter)
        METRICS.records_consumed.labels(SERVICE).inc(len(turn.records))
        METRICS.webhook_waiting.labels(self._name).set(self._ledger.waiting)
        METRICS.webhook_behind.labels(self._name).set(self._ledger.waiting + turn.behind)

    def _letter(self, record: Record) -> Letter | None:
        """Return what is sent of a record, None where it is nothing for this subscription or cannot be read."""
        if record.value is None:
            return None
        try:
            event = self._codec.decode(record.value, self._topics[record.topic].types)
        except DecodeError as problem:
            # Topics of our own, without dead letters, and of an unknown tenant: as the live views do.
            METRICS.dead_letters.labels(SERVICE, "skipped", problem.reason).inc()
            log.warning("%s[%d] offset %d is skipped: %s", record.topic, record.partition, record.offset, problem)
            return None
        if not wants(self.subscription, event):
            return None
        return Letter(record, message_of(record, event, self._settings.prefix))

    async def _watch(self) -> None:
        """Say once of each spell of failures that it lasts too long."""
        seconds = self._courier.failing_seconds()
        if seconds < ALERT_SECONDS:
            self._alerted = self._alerted and seconds > 0
        elif not self._alerted:
            self._alerted = True
            detail = (
                f"webhook {self._name}: its receiver {self.host} has taken nothing for {seconds:.0f} s: "
                f"{self._courier.last_failure}"
            )
            log.warning("%s", detail)
            alert = Alert(
                tenant=self.subscription.tenant, alert=AlertKind.WEBHOOK_FAILING, detail=detail, occurred_at=real_now()
            )
            await self._outbox.say(Effect(ALERTS, alert))

    # What becomes of a letter.

    async def _ended(self, end: End) -> None:
        record = end.letter.record
        if end.answer.verdict is Verdict.GONE:
            await self._disable(end)
            await asyncio.Event().wait()  # its place is not committed: it is sent once the subscription is enabled
        elif end.answer.verdict is Verdict.DELIVERED:
            METRICS.webhook_seconds.observe(max(0.0, time.time() - record.timestamp_ms / 1000))
        else:
            await self._bury(end)
        self._ledger.done((record.topic, record.partition), record.offset)

    async def _bury(self, end: End) -> None:
        record, answer = end.letter.record, end.answer
        problem = RecordError(answer.code, f"{answer.detail}, after {end.attempts} attempts")
        more = {
            "dlq_subscription": self._name,
            "dlq_tenant": self.subscription.tenant,
            "dlq_webhook_id": end.letter.message.id,
            "dlq_attempts": str(end.attempts),
            "dlq_written_at": iso_time(record.timestamp_ms * 1000),
        }
        await self._outbox.write(dead_letter(record, SERVICE, problem, to=WEBHOOKS.dead_letter_name, more=more))
        METRICS.dead_letters.labels(SERVICE, "delivery", answer.code).inc()
        METRICS.webhook_dead_letters.labels(self._name).inc()
        log.warning("webhook %s: %s is a dead letter: %s", self._name, end.letter.message.id, problem)

    async def _disable(self, end: End) -> None:
        if self._courier.stopped:
            return
        self._courier.stopped = True
        log.warning("webhook %s is disabled: its receiver %s says that it is gone", self._name, self.host)
        word = WebhookDisabled(
            subscription=self._name,
            tenant=self.subscription.tenant,
            revision=self.subscription.revision,
            reason=f"{end.answer.detail} (status {end.answer.status}), to {end.letter.message.id}",
            occurred_at=real_now(),
        )
        await self._outbox.say(Effect(WEBHOOKS, word))
        self.stop()


async def _on(thread: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, function)
