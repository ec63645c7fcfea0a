"""Rows of every cell in every interval of a span: zeros where nothing came. Pure.

Cells are those that were seen in the span and those of the policies that stand: each queue and intent, on the channels
and in the languages that the queue names, else those in which the tenant's contacts came. What is kept and the policies
give the rows, and nothing else: the same twice, the same rows, in the same order.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from runtime.sketches import RELATIVE_ACCURACY, Sketch
from schemas.analytics import HandleTimeRow
from schemas.control import HumanQueue, Policy
from schemas.fields import Channel, Handling
from schemas.wfm import VolumeRow
from wfm_bridge.history.kept import C, Kept, R, Span, TimesCell, VolumeCell

ENDINGS = tuple(handling for handling in Handling if handling is not Handling.IN_PROGRESS)
"""The ways in which a contact is over: those that handle times are told apart by."""
_NO_TIMES = Sketch().told()


class Grid:
    """Rows of a span by interval, then cell. A row that nobody wrote has revision 0 and is of instant 0.

    changed_since (UTC microseconds): only rows that were written then or later, and no zeros for the others.
    """

    def __init__(
        self, kept: Kept, policies: Collection[Policy], span: Span, *, changed_since: int | None = None
    ) -> None:
        self._kept = kept
        self._policies = policies
        self._span = span
        self._changed_since = changed_since

    def volumes(self) -> Iterator[VolumeRow]:
        """Yield the volumes of each queue, intent, channel and language."""
        rows = self._kept.volumes
        return (rows.get(key) or _no_volume(*key) for key in self._keys(rows, self._volume_cells))

    def handle_times(self) -> Iterator[HandleTimeRow]:
        """Yield the times of each queue and channel, of each way in which contacts end."""
        rows = self._kept.times
        return (rows.get(key) or _no_times(*key) for key in self._keys(rows, self._times_cells))

    def _keys(self, rows: dict[tuple[int, C], R], cells: list[C]) -> Iterable[tuple[int, C]]:
        if self._changed_since is None:
            return itertools.product(self._span.intervals(), cells)
        since = self._changed_since
        return sorted(key for key, row in rows.items() if row.updated_at >= since)

    @cached_property
    def _volume_cells(self) -> list[VolumeCell]:
        cells = set(self._seen)
        for policy, queue in self._queues():
            languages = [each.language for each in queue.languages] or self._seen_of(policy.tenant, 4)
            every = itertools.product(queue.intents, self._channels(policy, queue), languages)
            cells |= {(policy.tenant, queue.queue, *names) for names in every}
        return sorted(cells)

    @cached_property
    def _times_cells(self) -> list[TimesCell]:
        served = {(tenant, queue, channel) for tenant, queue, _, channel, _ in self._volume_cells}
        served |= {cell[:3] for _, cell in self._kept.times}
        for policy, queue in self._queues():
            served |= {(policy.tenant, queue.queue, channel) for channel in self._channels(policy, queue)}
        return sorted((*each, handling.value) for each in served for handling in ENDINGS)

    def _queues(self) -> Iterator[tuple[Policy, HumanQueue]]:
        return ((policy, queue) for policy in self._policies for queue in policy.queues)

    def _channels(self, policy: Policy, queue: HumanQueue) -> Collection[str]:
        return [each.channel.value for each in queue.channels] or self._seen_of(policy.tenant, 3)

    @cached_property
    def _seen(self) -> frozenset[VolumeCell]:
        return frozenset(cell for _, cell in self._kept.volumes)

    def _seen_of(self, tenant: str, place: int) -> set[str]:
        """Return the channels (3) or languages (4) in which a tenant's contacts came."""
        return {cell[place] for cell in self._seen if cell[0] == tenant}


def _no_volume(interval_start: int, cell: VolumeCell) -> VolumeRow:
    tenant, queue, intent, channel, language = cell
    return VolumeRow(
        tenant=tenant,
        queue=queue,
        intent=intent,
        channel=Channel(channel),
        language=language,
        interval_start=interval_start,
        revision=0,
        offered=0,
        in_progress=0,
        ai_contained=0,
        ai_assisted=0,
        ai_escalated=0,
        human_only=0,
        deflected=0,
        abandoned=0,
        updated_at=0,
    )


def _no_times(interval_start: int, cell: TimesCell) -> HandleTimeRow:
    tenant, queue, channel, handling = cell
    return HandleTimeRow(
        tenant=tenant,
        queue=queue,
        channel=Channel(channel),
        handling=Handling(handling),
        interval_start=interval_start,
        revision=0,
        contacts=0,
        relative_accuracy=RELATIVE_ACCURACY,
        ai=_NO_TIMES,
        wait=_NO_TIMES,
        talk=_NO_TIMES,
        wrap=_NO_TIMES,
        handle=_NO_TIMES,
        updated_at=0,
    )
