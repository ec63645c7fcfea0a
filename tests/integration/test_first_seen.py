"""The offer-once guard's memory on a real Redis: who came first, and what happens when it goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from runtime.embedded import EmbeddedRedis
from runtime.redis import FirstSeen
from runtime.settings import Settings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as store:
        yield store


def seen_at(store: EmbeddedRedis, prefix: str = "") -> FirstSeen:
    return FirstSeen(Settings(redis_url=store.url, prefix=prefix), "offer", keep_seconds=60)


def others(seen: FirstSeen, **values: str) -> dict[int, str] | None:
    seen.ask(list(values), list(values.values()))
    return seen.others()


def test_what_comes_first_stays_and_what_comes_again_is_told_of_it(store: EmbeddedRedis) -> None:
    seen = seen_at(store)
    assert others(seen, a="0:1", b="0:2") == {}
    assert others(seen, c="0:3", b="1:9", a="2:7") == {1: "0:2", 2: "0:1"}
    assert others(seen_at(store), c="3:3") == {0: "0:3"}, "another process knows as well"


def test_the_same_value_again_is_no_other(store: EmbeddedRedis) -> None:
    seen = seen_at(store)
    others(seen, a="0:1")
    assert others(seen, a="0:1") == {}


def test_a_key_twice_in_a_question_was_first_where_it_stands_first(store: EmbeddedRedis) -> None:
    seen = seen_at(store)
    seen.ask(["a", "a", "b"], ["0:1", "0:2", "0:3"])
    assert seen.others() == {1: "0:1"}


def test_installations_do_not_know_each_other_s_keys(store: EmbeddedRedis) -> None:
    others(seen_at(store, "one."), a="0:1")
    assert others(seen_at(store, "two."), a="0:2") == {}


def test_what_is_remembered_is_forgotten_after_its_time(store: EmbeddedRedis) -> None:
    others(seen_at(store), a="0:1")
    with redis.Redis.from_url(store.url) as client:
        (name,) = client.keys()
        assert 55 <= client.ttl(name) <= 60


def test_a_question_of_a_whole_batch_is_one_command(store: EmbeddedRedis) -> None:
    seen = seen_at(store)
    others(seen, warm="0:0")
    keys, values = [f"k{n}" for n in range(5000)], [f"0:{n}" for n in range(5000)]
    with redis.Redis.from_url(store.url) as client:
        before = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
        seen.ask(keys, values)
        assert seen.others() == {}
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1
    seen.ask(keys, ["x"] * 5000)
    assert seen.others() == dict(enumerate(values))


def test_a_redis_that_forgot_the_script_is_given_it_again(store: EmbeddedRedis) -> None:
    seen = seen_at(store)
    others(seen, a="0:1")
    with redis.Redis.from_url(store.url) as client:
        client.script_flush()
    assert others(seen, a="0:2") == {0: "0:1"}


def test_a_redis_that_was_restarted_in_between_is_found_without_a_batch_going_blind(store: EmbeddedRedis) -> None:
    seen = seen_at(store)
    others(seen, a="0:1")
    store.stop()
    store.start()
    assert others(seen, a="0:2") == {}, "its memory is gone, it is not"


def test_without_redis_nothing_is_known_nobody_waits_and_a_second_later_it_is_tried_again(
    store: EmbeddedRedis,
) -> None:
    seen = seen_at(store)
    others(seen, a="0:1")
    store.stop()
    began = time.monotonic()
    assert [others(seen, b=f"0:{n}") for n in range(50)] == [None] * 50
    assert time.monotonic() - began < 1.0
    store.start()
    while (found := others(seen, c="0:1")) is None:
        assert time.monotonic() - began < 10.0, "Redis is not tried again"
    assert found == {}
    assert others(seen, c="0:2") == {0: "0:1"}
