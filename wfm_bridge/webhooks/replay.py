"""What operators send by hand: a message to try a receiver with, and what lies in the topics once more.

They run in the command's own process, beside the sender: a replay that fails has somebody who sees it. Messages keep
their ids, so a receiver that had one knows it again.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from runtime.clock import real_now
from runtime.kafka import Reader, Record, partitions_of
from runtime.offsets import offsets_at
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.envelope import iso_time
from schemas.errors import DecodeError
from schemas.topics import WEBHOOKS
from schemas.webhooks import WebhookSubscription
from wfm_bridge.webhooks.addresses import networks_of, receiver_of
from wfm_bridge.webhooks.courier import Courier, End, Letter
from wfm_bridge.webhooks.errors import WebhookError
from wfm_bridge.webhooks.message import CONTENT_TYPE, message_id, message_of, trial
from wfm_bridge.webhooks.post import Answer, Post, Verdict
from wfm_bridge.webhooks.signing import secrets_of, signed
from wfm_bridge.webhooks.subscriptions import topics_of, wants

ATTEMPTS = 5
"""Of one message in a replay: some 8 s, and then whoever started it is told."""
_AT_ONCE = 500
_READ_SECONDS = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """From when to when records were written: real time, UTC microseconds, both ends included."""

    start: int
    end: int


async def send_trial(settings: Settings, subscription: WebhookSubscription, key: bytes, name: str) -> Answer:
    """Send a signed test message under this id, once, and return what came back."""
    now = real_now()
    message = trial(name, iso_time(now), subscription.subscription)
    headers = signed(secrets_of(key, subscription, now), message.id, now // 1_000_000, message.body)
    post = Post(receiver_of(subscription.url), networks_of(settings.allow_private), 1)
    try:
        return await post.send({**headers, "content-type": CONTENT_TYPE}, message.body)
    finally:
        await post.close()


def written(settings: Settings, subscription: WebhookSubscription, span: Span) -> Iterator[Letter]:
    """Yield what the topics of a subscription hold for it of that time; those of a partition in their order."""
    topics = {each.name: each for each in topics_of(subscription.topics, subscription.queues)}
    codec = Codec(PublishedSchemas(settings).fetch)
    for record in _records(settings, list(topics), span):
        if record.value is None:
            continue
        try:
            event = codec.decode(record.value, topics[record.topic].types)
        except DecodeError:
            continue  # the sender has counted and skipped it too
        if wants(subscription, event):
            yield Letter(record, message_of(record, event, settings.prefix))


def buried(settings: Settings, subscription: WebhookSubscription, span: Span) -> Iterator[Letter]:
    """Yield the dead letters of a subscription that were written in that time, each once."""
    codec = Codec(PublishedSchemas(settings).fetch)
    seen: set[str] = set()
    for letter in _records(settings, [WEBHOOKS.dead_letter_name], span):
        headers = {name: value.decode(errors="replace") for name, value in letter.headers}
        if headers.get("dlq_subscription") != subscription.subscription:
            continue
        record = Record(
            headers["dlq_topic"], int(headers["dlq_partition"]), int(headers["dlq_offset"]), letter.key, letter.value,
            timestamp_ms=letter.timestamp_ms,
        )  # fmt: skip
        if message_id(record) not in seen:
            seen.add(message_id(record))
            yield Letter(record, message_of(record, codec.decode(record.value), settings.prefix))


def _records(settings: Settings, names: Sequence[str], span: Span) -> Iterator[Record]:
    reader = Reader(settings, names, start=None)
    try:
        reader.restart(offsets_at(settings, partitions_of(settings, names), span.start))
        while not reader.at_end():
            records = reader.read(_AT_ONCE, _READ_SECONDS)
            yield from (each for each in records if span.start // 1000 <= each.timestamp_ms <= span.end // 1000)
    finally:
        reader.close()


class Replay:
    """Sends letters again, and stops at the first that is not taken."""

    def __init__(self, settings: Settings, subscription: WebhookSubscription, key: bytes) -> None:
        self.delivered = 0
        self._left: dict[str, Letter] = {}
        receiver = receiver_of(subscription.url)
        self._post = Post(receiver, networks_of(settings.allow_private), subscription.at_once)
        patient = msgspec.structs.replace(subscription, max_attempts=min(ATTEMPTS, subscription.max_attempts))
        self._courier = Courier(patient, key, self._post, self._ended)

    async def run(self, letters: Iterable[Letter]) -> None:
        """Return when all are delivered; raises WebhookError at the first that is not, and says where to go on."""
        rest = iter(letters)
        try:
            while chunk := list(itertools.islice(rest, _AT_ONCE)):
                self._left = {letter.message.id: letter for letter in chunk}
                for letter in chunk:
                    self._courier.put(letter)
                await self._courier.idle()
        finally:
            await self._courier.finish(0.0)
            await self._post.close()

    async def _ended(self, end: End) -> None:
        name = end.letter.message.id
        if end.answer.verdict is not Verdict.DELIVERED:
            oldest = min(letter.record.timestamp_ms for letter in self._left.values())
            raise WebhookError(
                f"{self.delivered} were delivered; {name} was not taken: {end.answer.detail}. Put the receiver right, "
                f"and go on with --from {iso_time(oldest * 1000)}"
            )
        del self._left[name]
        self.delivered += 1
