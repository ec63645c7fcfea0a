"""Limits and contacts at once as the router sees them, with Redis's part played by a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.memory import MemoryAtOnce, MemoryWindows
from router import limits
from router.limits import COUNT_SECONDS, HOLD_SECONDS, Capacity, Limits
from schemas.agents import Transition
from schemas.control import Endpoint, Policy
from schemas.fields import BreakerState
from schemas.interactions import Offered
from schemas.rules import Limit, LimitBy
from schemas.topics import breaker_key, contact_key, endpoint_key
from tests.offers import NOW, SECOND, breaker, offered, policy

NOVA = endpoint_key("acme", "nova")


class View:
    """What one router sees of counts that all share: its own question has its own answer."""

    def __init__(self, shared: MemoryAtOnce) -> None:
        self.shared = shared
        self.take, self.release = shared.take, shared.release

    def ask(self, keys: Sequence[str]) -> None:
        self.shared.ask(keys)
        self.answer = self.shared.answer

    def counts(self) -> dict[str, int] | None:
        return self.answer


class Bench:
    """A router's part in a slice: it gives nova every contact that it may have."""

    def __init__(self, shared: MemoryAtOnce, most: int, owned: int = 4, partitions: int = 4) -> None:
        self.real = 0.0
        self.capacity = Capacity(View(shared) if not shared.down else shared, partitions, lambda: self.real)
        self.owned = owned
        self.policies = {"acme": of(most)}
        self.breakers: dict[str, Transition] = {}

    def begin(self, names: Sequence[str], now: int = NOW) -> int:
        """A slice that is not at its end; return how many contacts nova was given."""
        self.capacity.ask(self.policies, [offered(name) for name in names], self.breakers)
        self.capacity.answered(self.owned, now)
        given_ = 0
        for name in names:
            if "nova" not in self.capacity.full("acme"):
                self.capacity.assign("acme", "nova", contact_key("acme", name))
                given_ += 1
        return given_

    def slice(self, names: Sequence[str], now: int = NOW) -> int:
        given_ = self.begin(names, now)
        self.capacity.close()
        self.capacity.kept()
        return given_

    def commit(self) -> None:
        self.capacity.sealed()
        self.capacity.committed()


def of(most: int) -> Policy:
    return policy(endpoints=(Endpoint(endpoint="nova", provider="n", version="1", intents=(), max_concurrent=most),))


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


# Limits.


def limited_by(by: LimitBy, *offers: Offered, contacts: int = 1) -> tuple[list[tuple[str, ...]], MemoryWindows]:
    windows = MemoryWindows()
    made = policy(limits=(Limit(limit="cap", by=by, contacts=contacts, seconds=60.0),))
    return Limits(windows).limited({"acme": made}, offers, NOW), windows


def test_while_no_tenant_has_limits_nobody_is_asked() -> None:
    windows = MemoryWindows()
    assert Limits(windows).limited({"acme": policy()}, [offered("a"), offered("b")], NOW) == [(), ()]
    assert windows.calls == 0


def test_what_is_above_a_limit_is_named_and_a_slice_is_one_question() -> None:
    found, windows = limited_by(LimitBy.TENANT, *(offered(name) for name in names("c", 4)), contacts=3)
    assert found == [(), (), (), ("cap",)]
    assert windows.calls == 1


def test_a_contact_that_is_stepped_again_counts_once() -> None:
    found, _ = limited_by(LimitBy.TENANT, offered("a"), offered("a"), offered("b"))
    assert found == [(), (), ("cap",)]


@pytest.mark.parametrize(("by", "field"), [(LimitBy.CUSTOMER, "customer_id"), (LimitBy.SOURCE, "source")])
def test_customers_and_sources_count_apart_and_those_unstated_do_not_count(by: LimitBy, field: str) -> None:
    offers = [offered(str(n), **{field: value}) for n, value in enumerate(["x", "y", None, None, "x"])]
    found, windows = limited_by(by, *offers)
    assert found == [(), (), (), (), ("cap",)]
    assert all(name.startswith("acme/cap:") and len(name.rpartition(":")[2]) == 32 for name in windows.members)


def test_texts_are_the_same_whatever_their_case_and_spaces() -> None:
    texts = ("Win  a CAR", " win a\ncar ", "win a car!")
    found, windows = limited_by(LimitBy.TEXT, *(offered(str(n), text=text) for n, text in enumerate(texts)))
    assert found == [(), ("cap",), ()]
    assert not any("win" in name for name in windows.members), "no word of a customer's is in Redis"


def test_without_redis_no_limit_applies() -> None:
    windows = MemoryWindows()
    windows.down = True
    made = policy(limits=(Limit(limit="cap", by=LimitBy.TENANT, contacts=1, seconds=60.0),))
    assert Limits(windows).limited({"acme": made}, [offered("a"), offered("b")], NOW) == [(), ()]


def test_a_new_policy_counts_at_once() -> None:
    made = Limits(MemoryWindows())
    assert made.limited({"acme": policy()}, [offered("a")], NOW) == [()]
    capped = policy(limits=(Limit(limit="cap", by=LimitBy.TENANT, contacts=1, seconds=60.0),))
    assert made.limited({"acme": capped}, [offered("b"), offered("c")], NOW) == [(), ("cap",)]


# Contacts at once.


def test_within_a_slice_a_router_stops_at_the_limit() -> None:
    bench = Bench(MemoryAtOnce(), most=3)
    assert bench.slice(names("a", 5)) == 3
    assert bench.capacity.full("acme") == ("nova",)
    assert bench.capacity.full("nobody") == ()


def test_what_has_ended_makes_room_when_the_count_no_longer_stands() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=3)
    bench.slice(names("a", 5))
    assert bench.slice(names("b", 5)) == 0
    shared.release([(NOVA, contact_key("acme", "a0"))])
    assert bench.slice(names("b", 5)) == 0, "what was read to be full stays so for a moment"
    bench.real += COUNT_SECONDS
    assert bench.slice(names("c", 5)) == 1


def test_far_from_the_limit_a_count_stands_and_near_it_each_slice_reads() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=100)
    for nth in range(10):
        bench.slice(names(f"a{nth}-", 10))
    assert len(shared.asked) == 1, "alone, it knows what is given"
    near = MemoryAtOnce()
    one_of_two = Bench(near, most=100, owned=2)
    for nth in range(8):
        one_of_two.slice(names(f"a{nth}-", 10))
    assert len(near.asked) == 3, "reads at 0, 50 and 70: half of what is free fits 5, 2 and no slices"


def test_a_count_is_read_again_after_its_time() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=100)
    bench.slice(["a"])
    bench.real += COUNT_SECONDS
    bench.slice(["b"])
    assert len(shared.asked) == 2


def test_a_tenant_without_a_policy_is_not_asked_about() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=3)
    bench.capacity.ask(bench.policies, [offered("a", tenant="stranger")])
    bench.capacity.answered(4, NOW)
    assert (shared.asked, bench.capacity.full("stranger")) == ([], ())


def test_a_new_policy_has_its_own_limit_at_once() -> None:
    bench = Bench(MemoryAtOnce(), most=3)
    bench.slice(names("a", 3))
    bench.policies = {"acme": of(5)}
    assert bench.slice(names("b", 5)) == 2


def capped(*caps: int | None, versions: tuple[str | None, ...] = (None, "1", "2")) -> dict[str, Transition]:
    """The latest words on nova's own breaker, on that of version 1 (the policy's), and of version 2."""
    return {
        breaker_key("acme", "nova", version): breaker("nova", BreakerState.CLOSED, version=version, most_at_once=cap)
        for cap, version in zip(caps, versions, strict=False)
    }


@pytest.mark.parametrize(
    ("caps", "given_"),
    [((2,), 2), ((9,), 5), ((None,), 5), ((0,), 0), ((4, 3), 3), ((3, 4), 3), ((None, 2), 2), ((4, None, 1), 4)],
)
def test_an_agent_has_the_lower_of_what_policy_and_breakers_leave_it(caps: tuple[int | None, ...], given_: int) -> None:
    bench = Bench(MemoryAtOnce(), most=5)
    bench.breakers = capped(*caps)
    assert bench.slice(names("a", 9)) == given_


def test_a_cap_counts_from_the_next_read_and_is_gone_from_the_next_after_it() -> None:
    bench = Bench(MemoryAtOnce(), most=100)
    assert bench.slice(names("a", 5)) == 5
    bench.breakers = capped(7)
    assert bench.slice(names("b", 5)) == 5, "what was read still stands"
    bench.real += COUNT_SECONDS
    assert bench.slice(names("c", 5)) == 0, "10 are more than 7"
    bench.breakers = capped(None)
    bench.real += COUNT_SECONDS
    assert bench.slice(names("d", 5)) == 5


def test_without_redis_a_router_has_its_share_of_what_the_breaker_leaves() -> None:
    bench = Bench(down(), most=100, owned=1)
    bench.breakers = capped(8)
    assert bench.slice(names("a", 20)) == 2, "a quarter of 8"


def test_what_is_aborted_is_given_back_and_the_same_again_counts_once() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=4)
    bench.slice(["kept"])
    bench.commit()
    bench.slice(["sealed"])
    bench.capacity.sealed()
    bench.slice(["pending"])
    bench.capacity.aborted()
    assert shared.sets[NOVA] == {"acme/kept"}
    bench.capacity.begin()
    assert bench.slice(["sealed", "pending", "next", "above"]) == 3


def test_a_slice_that_fails_before_its_end_is_not_counted() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=3)
    bench.begin(names("failed", 3))
    bench.capacity.begin()
    assert bench.slice(names("again", 3)) == 3
    assert shared.sets[NOVA] == {f"acme/again{n}" for n in range(3)}


# Without Redis.


def down() -> MemoryAtOnce:
    shared = MemoryAtOnce()
    shared.down = True
    return shared


def test_without_redis_a_router_gives_its_share_and_no_more_until_its_contacts_are_taken_to_have_ended() -> None:
    bench = Bench(down(), most=10, owned=1)
    assert bench.slice(names("a", 20)) == 2, "a quarter of 10, rounded down"
    assert bench.slice(names("b", 20), NOW + (HOLD_SECONDS - 1) * SECOND) == 0
    assert bench.slice(names("c", 20), NOW + (HOLD_SECONDS + 20) * SECOND) == 2


@given(st.lists(st.integers(1, 8), min_size=1, max_size=8), st.integers(1, 200))
def test_shares_add_up_to_the_limit_at_most(owned: list[int], most: int) -> None:
    partitions = sum(owned)
    given_ = [Bench(down(), most, each, partitions).slice(names("a", most + 1)) for each in owned]
    assert most - len(owned) < sum(given_) <= most


def test_what_was_given_before_redis_went_counts_in_the_share() -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most=10)
    bench.slice(names("a", 8))
    bench.commit()
    bench.capacity._counts = shared
    bench.real += COUNT_SECONDS
    shared.down = True
    assert bench.slice(names("b", 8)) == 2


def test_what_is_aborted_without_redis_is_given_back() -> None:
    bench = Bench(down(), most=4)
    bench.slice(names("a", 3))
    bench.capacity.aborted()
    assert bench.slice(names("a", 5)) == 4


def test_a_clock_that_is_set_back_lets_what_was_given_end_all_the_same() -> None:
    bench = Bench(down(), most=4)
    bench.slice(names("a", 4))
    earlier = NOW - 86_400 * SECOND
    assert bench.slice(names("b", 4), earlier) == 0
    assert bench.slice(names("c", 4), earlier + (HOLD_SECONDS + 20) * SECOND) == 4


# The rule.


@given(st.integers(1, 60), st.integers(1, 4), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 20)), max_size=80))
def test_whatever_the_order_no_router_is_more_than_a_slice_above(
    most: int, routers: int, moves: list[tuple[int, int]]
) -> None:
    """Slices begin and end in any order; a router that has begun one ends it with its next move."""
    shared = MemoryAtOnce()
    benches = [Bench(shared, most, 1, routers) for _ in range(routers)]
    open_slices: set[int] = set()
    largest = max([size for _, size in moves], default=0)
    for nth, (move, size) in enumerate(moves):
        who = move % routers
        if who in open_slices:
            benches[who].capacity.close()
            open_slices.discard(who)
        else:
            benches[who].begin(names(f"{nth}-", size))
            open_slices.add(who)
        assert len(shared.sets[NOVA]) < most + max(1, routers * largest)


@given(st.integers(1, 60), st.lists(st.integers(1, 20), max_size=30))
def test_a_lone_router_is_never_above(most: int, sizes: list[int]) -> None:
    shared = MemoryAtOnce()
    bench = Bench(shared, most)
    for nth, size in enumerate(sizes):
        bench.slice(names(f"{nth}-", size))
    assert len(shared.sets[NOVA]) == min(most, sum(sizes))


def test_a_slice_of_many_tenants_is_one_question_and_only_what_does_not_stand_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "_SLICE", 500)
    shared = MemoryAtOnce()
    capacity = Capacity(View(shared), 4, lambda: 0.0)
    policies = {f"t{n}": policy(tenant=f"t{n}") for n in range(1000)}
    for start in (0, 250):
        capacity.ask(policies, [offered(str(n), tenant=f"t{n}") for n in range(start, start + 500)])
        capacity.answered(4, NOW)
        capacity.close()
    tenants = [Counter(key.split("/")[0] for key in keys) for keys in shared.asked]
    assert [len(each) for each in tenants] == [500, 250]
