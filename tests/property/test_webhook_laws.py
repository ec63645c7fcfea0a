"""Whatever ends in which order: no place passes over what is not done, and no key is out of order."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Record
from tests.support.webhooks import KEY, subscription
from wfm_bridge.webhooks.courier import Courier, End, Letter
from wfm_bridge.webhooks.ledger import Ledger
from wfm_bridge.webhooks.message import Message
from wfm_bridge.webhooks.post import Answer, Verdict

PLACES = [("wfm.capacity", 0), ("wfm.capacity", 1)]


@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.integers(1, 3), st.booleans()), max_size=40),
    st.randoms(use_true_random=False),
)
def test_a_position_never_passes_what_is_not_done_and_comes_to_the_end(
    steps: list[tuple[tuple[str, int], int, bool]], rng: random.Random
) -> None:
    ledger, ends = Ledger(), dict.fromkeys(PLACES, 0)
    open_: list[tuple[tuple[str, int], int]] = []
    done: list[tuple[tuple[str, int], int]] = []
    told: dict[tuple[str, int], int] = {}

    def look() -> None:
        for place, position in ledger.positions().items():
            assert position > told.get(place, -1), "it moves forwards, and is told once"
            told[place] = position
        assert all(offset >= told[place] for place, offset in open_)
        assert ledger.waiting == len(open_)
        assert ledger.ahead == sum(offset >= told[place] for place, offset in done)

    def end_one() -> None:
        done.append(open_.pop(rng.randrange(len(open_))))
        ledger.done(*done[-1])
        look()

    for place, gap, wanted in steps:  # offsets have gaps: markers, and what compaction took
        offset = ends[place] + gap
        ends[place] = offset + 1
        if wanted:
            ledger.take(place, offset)
            open_.append((place, offset))
        else:
            ledger.skip(place, offset)
        look()
        if open_ and rng.random() < 0.5:
            end_one()
    while open_:
        end_one()
    assert told == {place: end for place, end in ends.items() if end}
    assert (ledger.waiting, ledger.ahead) == (0, 0)


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_letter_ends_once_and_no_key_is_out_of_order(keys: list[str], at_once: int, rng: random.Random) -> None:
    ended: list[tuple[str, int]] = []
    sent: list[tuple[str, int]] = []

    class Fickle:
        """Takes, or calls malformed, after some turns of the loop."""

        async def send(self, headers: dict[str, str], _body: bytes) -> Answer:
            key, _, number = headers["webhook-id"].partition("-")
            sent.append((key, int(number)))
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            verdict = rng.choice([Verdict.DELIVERED, Verdict.REFUSED])
            return Answer(verdict, "http_200", "")

    async def note(end: End) -> None:
        ended.append(((end.letter.record.key or b"").decode(), end.letter.record.offset))

    async def run() -> None:
        sends = Courier(subscription(at_once=at_once, max_attempts=1), KEY, Fickle(), note)
        for number, key in enumerate(keys):
            record = Record("wfm.staffing", 0, number, key.encode(), b"v")
            sends.put(Letter(record, Message(f"{key}-{number}", b"{}")))
            if rng.random() < 0.3:
                await asyncio.sleep(0)
        await sends.idle()

    asyncio.run(run())
    assert sorted(ended) == sorted(sent) == sorted((key, number) for number, key in enumerate(keys))
    for key in "abcd":
        assert [each for each in sent if each[0] == key] == sorted(each for each in sent if each[0] == key)
