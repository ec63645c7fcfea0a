"""Topics are read from their beginning to where they ended when the reading began."""

from __future__ import annotations

from runtime.reading import events
from runtime.settings import Settings
from schemas.fields import Channel
from schemas.interactions import Offered
from schemas.topics import CLOSED, OFFERED, Effect
from tests.support.topics import write_all

COUNT = 20


def offers(first: int, count: int) -> list[Effect]:
    return [
        Effect(OFFERED, Offered(interaction_id=f"c-{n}", tenant="acme", channel=Channel.CHAT, text="x", occurred_at=1))
        for n in range(first, first + count)
    ]


def test_a_topic_to_which_somebody_keeps_writing_is_read_to_where_it_ended(settings: Settings) -> None:
    write_all(settings, offers(0, COUNT))
    read: list[str] = []
    for event in events(settings, [OFFERED], lambda line: None):
        assert isinstance(event, Offered)
        read.append(event.interaction_id)
        write_all(settings, offers(COUNT + len(read) * 5, 5))  # faster than it is read
        assert len(read) < COUNT * 20, "the reading has no end"
    assert {f"c-{n}" for n in range(COUNT)} <= set(read)
    assert len(read) == len(set(read))


def test_topics_without_a_record_are_read_at_once(settings: Settings) -> None:
    assert list(events(settings, [OFFERED, CLOSED], lambda line: None)) == []
