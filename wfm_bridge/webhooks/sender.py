"""The service `webhooks-sender`: follows the subscriptions, and delivers each by itself in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging

from runtime.control import ControlFollower
from runtime.errors import FencedError, KafkaUnavailableError, TrunklineError
from runtime.metrics import METRICS
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import service_codec
from schemas.codec import Codec
from schemas.topics import WEBHOOKS
from schemas.webhooks import WebhookSubscription
from wfm_bridge.webhooks.delivery import SERVICE, Delivery
from wfm_bridge.webhooks.errors import WebhookError
from wfm_bridge.webhooks.outbox import Outbox
from wfm_bridge.webhooks.signing import installation_key, is_key_of
from wfm_bridge.webhooks.subscriptions import active

log = logging.getLogger(__name__)

TURN_SECONDS = 0.2
"""So soon a change of subscriptions is seen."""
RESTART_SECONDS = 5.0
_OF_EACH = (
    METRICS.webhook_waiting,
    METRICS.webhook_behind,
    METRICS.webhook_oldest_seconds,
    METRICS.webhook_failing_seconds,
    METRICS.webhook_unusable,
)


@dataclasses.dataclass(slots=True)
class _Running:
    """A delivery and its task."""

    delivery: Delivery
    task: asyncio.Task[None]


class Sender:
    """Has one delivery for each subscription that is active, begun anew when the subscription changes."""

    def __init__(self, settings: Settings, codec: Codec, control: ControlFollower) -> None:
        self._settings = settings
        self._codec = codec
        self._control = control
        self._outbox = Outbox(settings, SERVICE)
        self._running: dict[str, _Running] = {}
        self._unusable: dict[str, WebhookSubscription] = {}
        self._retry_at: dict[str, float] = {}

    async def run(self, process: Process) -> None:
        """Deliver until the process is told to stop; raises FencedError and KafkaUnavailableError."""
        process.ready()
        try:
            while not process.stopping.is_set():
                process.beat()
                self._turn(active(self._control.poll()))
                await asyncio.sleep(TURN_SECONDS)
        finally:
            for each in self._running.values():
                each.delivery.stop()
            await asyncio.gather(*(each.task for each in self._running.values()), return_exceptions=True)
            self._outbox.close()

    def _turn(self, wanted: dict[str, WebhookSubscription]) -> None:
        for name in list(self._running):
            self._settle(name, wanted.get(name))
        for name in self._unusable.keys() - wanted.keys():
            del self._unusable[name]
            _forget(name)
        for name, subscription in wanted.items():
            if name not in self._running and self._unusable.get(name) != subscription and self._may_start(name):
                self._start(name, subscription)

    def _settle(self, name: str, wanted: WebhookSubscription | None) -> None:
        """Stop a delivery whose subscription has changed, and take away one that has ended."""
        running = self._running[name]
        if wanted != running.delivery.subscription:
            running.delivery.stop()
        if not running.task.done():
            return
        problem = running.task.exception()
        if isinstance(problem, FencedError | KafkaUnavailableError):
            raise problem
        if problem is not None:
            log.error("webhook %s ends, and is begun again in %g s", name, RESTART_SECONDS, exc_info=problem)
            self._retry_at[name] = asyncio.get_running_loop().time() + RESTART_SECONDS
        elif wanted == running.delivery.subscription:
            return  # its receiver is gone, and the word of it not read back yet
        del self._running[name]
        if wanted is None:
            _forget(name)

    def _may_start(self, name: str) -> bool:
        return asyncio.get_running_loop().time() >= self._retry_at.get(name, 0.0)

    def _start(self, name: str, subscription: WebhookSubscription) -> None:
        try:
            key = installation_key(self._settings)
            if not is_key_of(key, subscription):
                raise WebhookError(
                    "it was added with another key: give this process the same TRUNKLINE_WEBHOOK_KEY, or rotate its "
                    "secret with the key that is here"
                )
            delivery = Delivery(self._settings, subscription, key, self._codec, self._outbox)
        except TrunklineError as problem:
            log.warning("webhook %s is not delivered: %s", name, problem)
            self._unusable[name] = subscription
            METRICS.webhook_unusable.labels(name).set(1)
            return
        self._unusable.pop(name, None)
        METRICS.webhook_unusable.labels(name).set(0)
        self._running[name] = _Running(delivery, asyncio.create_task(delivery.run(), name=name))
        log.info("webhook %s is delivered to %s", name, delivery.host)


def _forget(name: str) -> None:
    for metric in _OF_EACH:
        with contextlib.suppress(KeyError):
            metric.remove(name)


def run(settings: Settings, process: Process) -> None:
    """Deliver until the process is told to stop."""
    codec = service_codec(settings, process)
    control = ControlFollower(settings, SERVICE, (WEBHOOKS,), codec)
    control.read_to_end()
    try:
        asyncio.run(Sender(settings, codec, control).run(process))
    finally:
        control.close()
