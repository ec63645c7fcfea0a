"""Counts on a real Redis: contacts at once, contacts in a window, and what happens when Redis goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from router.limits import Capacity
from runtime.counts import ContactsAtOnce, Taken, WindowCounts
from runtime.embedded import EmbeddedRedis
from runtime.settings import Settings
from schemas.control import Endpoint
from schemas.topics import contact_key, endpoint_key
from tests.offers import NOW, offered, policy

NOVA = endpoint_key("acme", "nova")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as store:
        yield store


def settings(store: EmbeddedRedis, prefix: str = "") -> Settings:
    return Settings(redis_url=store.url, prefix=prefix)


def at_once(store: EmbeddedRedis, **seconds: float) -> ContactsAtOnce:
    return ContactsAtOnce(settings(store), **seconds)


def contacts(count: int, prefix: str = "c", agent: str = NOVA) -> list[Taken]:
    return [(agent, f"acme/{prefix}{n}") for n in range(count)]


def reading(counts: ContactsAtOnce, *, last: float = 10.0) -> dict[str, int]:
    """What Redis says once it is back."""
    deadline = time.monotonic() + last
    while (found := counts.read([NOVA])) is None:
        assert time.monotonic() < deadline, "Redis is not tried again"
        time.sleep(0.05)
    return found


# Contacts at once.


def test_contacts_count_from_when_they_are_taken_until_they_are_released(store: EmbeddedRedis) -> None:
    one, other = at_once(store), at_once(store)
    assert one.read([NOVA, "acme/vega"]) == {NOVA: 0, "acme/vega": 0}
    one.take([*contacts(3), ("acme/vega", "acme/v")])
    assert one.read([NOVA]) == {NOVA: 3}
    assert other.read([NOVA, "acme/vega"]) == {NOVA: 3, "acme/vega": 1}, "another router sees them"
    assert other.release([*contacts(2), ("acme/vega", "acme/v")])
    assert one.read([NOVA, "acme/vega"]) == {NOVA: 1, "acme/vega": 0}


def test_what_is_written_or_released_twice_counts_once(store: EmbeddedRedis) -> None:
    one, other = at_once(store), at_once(store)
    for counts in (one, one, other):
        counts.take(contacts(5))
        assert counts.read([NOVA]) == {NOVA: 5}
    for counts in (one, other, one):
        assert counts.release(contacts(2))
        assert counts.read([NOVA]) == {NOVA: 3}


def test_what_never_ends_counts_until_its_lease_does_and_is_then_taken_out(store: EmbeddedRedis) -> None:
    counts = at_once(store, lease_seconds=0.3)
    counts.take(contacts(3))
    assert counts.read([NOVA]) == {NOVA: 3}
    time.sleep(0.35)
    assert counts.read([NOVA]) == {NOVA: 0}
    at_once(store, lease_seconds=60).take(contacts(1, "new"))
    assert reading(counts) == {NOVA: 1}
    with redis.Redis.from_url(store.url) as client:
        assert client.zcard(f"at-once:{NOVA}") == 1
        assert 55 <= client.ttl(f"at-once:{NOVA}") <= 60


def test_installations_do_not_know_each_other_s_counts(store: EmbeddedRedis) -> None:
    ContactsAtOnce(settings(store, "one.")).take(contacts(3))
    assert ContactsAtOnce(settings(store, "two.")).read([NOVA]) == {NOVA: 0}


def test_a_slice_of_any_size_is_one_call_to_read_and_one_to_write(store: EmbeddedRedis) -> None:
    counts = at_once(store)
    counts.take(contacts(1))
    counts.read([NOVA])
    with redis.Redis.from_url(store.url) as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        taken = [(f"acme/agent{n % 300}", f"acme/c{n}") for n in range(20_000)]
        counts.take(taken)
        found = counts.read([f"acme/agent{n}" for n in range(300)])
        assert found is not None
        assert sum(found.values()) == 20_000
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 2


def test_many_that_write_at_the_same_time_lose_and_double_nothing(store: EmbeddedRedis) -> None:
    def work(own: str) -> None:
        counts = at_once(store)
        for nth in range(20):
            counts.take(contacts(10, f"{own}-{nth}-"))
            counts.take(contacts(10, f"shared-{nth}-"))
            assert counts.release(contacts(5, f"{own}-{nth}-"))

    threads = [threading.Thread(target=work, args=(own,)) for own in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert at_once(store).read([NOVA]) == {NOVA: 4 * 20 * 5 + 20 * 10}


# Redis away.


def test_without_redis_nothing_is_known_and_nobody_waits(store: EmbeddedRedis) -> None:
    counts, windows = at_once(store), WindowCounts(settings(store))
    counts.take(contacts(1))
    windows.count([("n", "c", 60.0)], 1000.0)
    store.stop()
    began = time.monotonic()
    for _ in range(50):
        assert counts.read([NOVA]) is None
        counts.take(contacts(1))
        assert not counts.release(contacts(1))
        assert windows.count([("n", "c", 60.0)], 1000.0) is None
    assert time.monotonic() - began < 1.5


def test_what_could_not_be_written_is_written_when_redis_is_back_for_a_shorter_time(store: EmbeddedRedis) -> None:
    counts = at_once(store, late_seconds=30)
    store.stop()
    counts.take(contacts(3))
    assert counts.read([NOVA]) is None
    counts.take(contacts(3, "more"))
    assert not counts.release(contacts(1)), "and what has ended by then is not"
    store.start()
    assert reading(counts) == {NOVA: 5}
    with redis.Redis.from_url(store.url) as client:
        ends = [end / 1000 - time.time() for _, end in client.zrange(f"at-once:{NOVA}", 0, -1, withscores=True)]
    assert all(20 < end <= 30 for end in ends)


def test_a_redis_that_lost_its_counts_is_taken_for_none_until_they_would_have_ended(store: EmbeddedRedis) -> None:
    counts = at_once(store, late_seconds=1.0)
    counts.take(contacts(3))
    assert counts.read([NOVA]) == {NOVA: 3}
    with redis.Redis.from_url(store.url) as client:
        client.flushall()
    began = time.monotonic()
    assert counts.read([NOVA]) is None
    assert at_once(store).read([NOVA]) == {NOVA: 0}, "who never knew it cannot tell"
    counts.take(contacts(2, "new"))
    assert reading(counts) == {NOVA: 2}
    assert 0.9 < time.monotonic() - began < 5


def test_a_redis_that_was_restarted_in_between_is_written_to_without_a_loss(store: EmbeddedRedis) -> None:
    counts = at_once(store, late_seconds=0.2)
    counts.take(contacts(3))
    assert counts.read([NOVA]) == {NOVA: 3}
    store.stop()
    store.start()
    counts.take(contacts(2, "new"))
    other = at_once(store)
    assert reading(counts)[NOVA] in (2, 5), "with what it kept over the restart, if it keeps anything"
    assert other.read([NOVA]) == counts.read([NOVA])


def test_an_answer_that_nobody_fetched_is_not_taken_for_the_next_one(store: EmbeddedRedis) -> None:
    counts = at_once(store)
    counts.take(contacts(3))
    counts.ask([NOVA])
    assert counts.read(["acme/vega"]) == {"acme/vega": 0}


# Two routers.


class RouterPart:
    """What a router does with the counts in a slice: nova gets every contact that it may have."""

    def __init__(self, store: EmbeddedRedis, most: int, owned: int) -> None:
        endpoint = Endpoint(endpoint="nova", provider="n", version="1", intents=(), max_concurrent=most)
        self.policies = {"acme": policy(endpoints=(endpoint,))}
        self.capacity = Capacity(at_once(store), 4)
        self.owned = owned

    def begin(self, names: Sequence[str]) -> None:
        self.capacity.begin()
        self.capacity.ask(self.policies, [offered(name) for name in names])
        self.capacity.answered(self.owned, NOW)
        for name in names:
            if not self.capacity.full("acme"):
                self.capacity.assign("acme", "nova", contact_key("acme", name))

    def end(self) -> None:
        self.capacity.close()
        for moment in (self.capacity.kept, self.capacity.sealed, self.capacity.committed):
            moment()


def slice_of(prefix: Any, size: int = 20) -> list[str]:
    return [f"{prefix}-{n}" for n in range(size)]


def test_two_routers_that_step_at_the_same_moment_are_a_slice_each_above_at_most(store: EmbeddedRedis) -> None:
    routers = [RouterPart(store, most=50, owned=2) for _ in range(2)]
    for nth in range(6):
        for who, router in enumerate(routers):
            router.begin(slice_of(f"{who}-{nth}"))
        for router in routers:
            router.end()
    (count,) = reading(at_once(store)).values()
    assert 50 <= count <= 50 + 2 * 20 - 1


def test_two_routers_that_take_turns_stop_at_the_limit(store: EmbeddedRedis) -> None:
    routers = [RouterPart(store, most=50, owned=2) for _ in range(2)]
    for nth in range(12):
        routers[nth % 2].begin(slice_of(nth, 7))
        routers[nth % 2].end()
    assert 50 <= reading(at_once(store))[NOVA] < 50 + 7


@pytest.mark.parametrize("most", [7, 20])
def test_two_routers_at_full_speed_are_a_slice_each_above_at_most(store: EmbeddedRedis, most: int) -> None:
    """Each ends a contact now and then, so that they meet at the limit again and again."""
    highest: list[int] = []

    def work(who: int) -> None:
        router, own = RouterPart(store, most, owned=2), at_once(store)
        for nth in range(150):
            names = slice_of(f"{who}-{nth}", 10)
            router.begin(names)
            router.end()
            own.release([(NOVA, contact_key("acme", name)) for name in slice_of(f"{who}-{nth - 3}", 10)])
            highest.extend((own.read([NOVA]) or {}).values())

    threads = [threading.Thread(target=work, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(highest) == 300
    assert most <= max(highest) < most + 2 * 10


def test_routers_that_lose_redis_keep_to_their_shares_and_use_it_again_when_it_is_back(store: EmbeddedRedis) -> None:
    routers = [RouterPart(store, most=50, owned=2) for _ in range(2)]
    for who, router in enumerate(routers):
        router.capacity._counts = at_once(store, late_seconds=0.5)
        router.begin(slice_of(f"{who}-before", 10))
        router.end()
    store.stop()
    time.sleep(0.3)  # a count that was read stands for as long
    for nth in range(3):
        for who, router in enumerate(routers):
            router.begin(slice_of(f"{who}-{nth}", 20))
            router.end()
    given = [sum(router.capacity._held.values()) for router in routers]
    assert given == [25, 25], "with those from before"
    store.start()
    deadline = time.monotonic() + 10
    while not all(router.capacity._counts.read([NOVA]) is not None for router in routers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Windows.


@pytest.fixture
def windows(store: EmbeddedRedis) -> WindowCounts:
    return WindowCounts(settings(store))


def asked(name: str, *members: str, seconds: float = 60.0) -> list[tuple[str, str, float]]:
    return [(name, member, seconds) for member in members]


def test_contacts_are_counted_by_name_in_their_order(windows: WindowCounts) -> None:
    assert windows.count([], 6000.0) == []
    found = windows.count([*asked("a", "1"), *asked("b", "1"), *asked("a", "2", "3")], 6000.0)
    assert found == [1.0, 1.0, 2.0, 3.0]
    assert windows.count([*asked("b", "2"), *asked("a", "4")], 6001.0) == [2.0, 4.0]


def test_a_slice_that_is_stepped_again_changes_no_count(windows: WindowCounts) -> None:
    windows.count(asked("a", "1", "2", "3"), 6000.0)
    assert windows.count(asked("a", "1", "2", "3"), 6000.0) == [3.0, 3.0, 3.0]
    assert windows.count(asked("a", "4"), 6000.0) == [4.0]


def test_the_window_before_counts_by_the_part_of_it_that_is_not_past(windows: WindowCounts) -> None:
    """
    window   99 |####|  100 |....x   |  x at a quarter of window 100: three quarters of the four count.
    """
    windows.count(asked("a", "1", "2", "3", "4"), 5990.0)
    assert windows.count(asked("a", "5"), 6015.0) == [pytest.approx(1 + 4 * 0.75)]
    assert windows.count(asked("a", "6"), 6059.0) == [pytest.approx(2 + 4 / 60)]
    assert windows.count(asked("a", "7"), 6060.0) == [3.0], "of window 100 all; of 99 nothing"


def test_limits_of_different_seconds_do_not_meet_and_keys_go_when_they_are_past(
    store: EmbeddedRedis, windows: WindowCounts
) -> None:
    assert windows.count([*asked("a", "1", seconds=1.0), *asked("a", "2", seconds=3600.0)], 7200.0) == [1.0, 1.0]
    with redis.Redis.from_url(store.url) as client:
        kept = sorted(client.ttl(key) for key in client.keys("window:*"))
    assert len(kept) == 2
    assert 55 <= kept[0] <= 60
    assert 7190 <= kept[1] <= 7200


def test_ten_thousand_contacts_are_counted_within_three_percent_in_twelve_kilobytes(
    store: EmbeddedRedis, windows: WindowCounts
) -> None:
    for start in range(0, 10_000, 500):
        found = windows.count(asked("a", *(f"acme/contact-{n}" for n in range(start, start + 500))), 6000.0)
    assert found is not None
    assert found[-1] == pytest.approx(10_000, rel=0.03)
    assert sorted(found) == found
    with redis.Redis.from_url(store.url) as client:
        (key,) = client.keys("window:*")
        assert client.memory_usage(key) < 16_000


def test_a_slice_with_many_names_is_one_call(store: EmbeddedRedis, windows: WindowCounts) -> None:
    windows.count(asked("warm", "0"), 6000.0)
    with redis.Redis.from_url(store.url) as client:
        before = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
        found = windows.count([(f"n{n}", f"c{n}", 60.0) for n in range(20_000)], 6000.0)
        assert found == [1.0] * 20_000
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1
