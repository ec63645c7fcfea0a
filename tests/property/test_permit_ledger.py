"""Permits, of probes and of room among people: no partition ever spends more than its share of an epoch."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.permits import Grant, PermitLedger
from tests.offers import NOW, SECOND

PARTITIONS = 3
EXPIRY = NOW + 60 * SECOND


def issued(permits: tuple[int, ...], epoch: int = 1, name: str = "probe acme/nova") -> Grant:
    return Grant(name, epoch, permits, EXPIRY)


def left(ledger: PermitLedger, grant: Grant, partition: int, now: int = NOW) -> int:
    return ledger.left((grant,), partition, now)


def spend_if_left(ledger: PermitLedger, grant: Grant, partition: int, now: int = NOW) -> bool:
    """What the router does: a contact where a permit is left."""
    if left(ledger, grant, partition, now) <= 0:
        return False
    ledger.spend((grant,), partition)
    return True


steps = st.lists(
    st.one_of(
        st.tuples(st.just("contact"), st.integers(0, PARTITIONS - 1)),
        st.tuples(st.sampled_from(["sealed", "committed", "begin", "aborted"]), st.just(0)),
        st.tuples(st.just("next epoch"), st.just(0)),
        st.tuples(st.just("dropped"), st.integers(0, PARTITIONS - 1)),
    ),
    max_size=60,
)


@settings(max_examples=500, deadline=None)
@given(permits=st.tuples(*[st.integers(0, 3)] * PARTITIONS), doings=steps)
def test_no_partition_spends_more_than_its_permits_in_an_epoch(permits: tuple[int, ...], doings: list) -> None:
    """Spent is what was committed, and what may yet be; a transaction that is begun anew never sent its contacts."""
    ledger, epoch = PermitLedger(), 1
    committed: Counter[tuple[int, int]] = Counter()
    sealed: Counter[tuple[int, int]] = Counter()
    pending: Counter[tuple[int, int]] = Counter()
    for what, partition in doings:
        if what == "contact":
            place = (epoch, partition)
            allowed = permits[partition] - committed[place] - sealed[place] - pending[place]
            assert left(ledger, issued(permits, epoch), partition) == allowed
            assert spend_if_left(ledger, issued(permits, epoch), partition) == (allowed > 0)
            pending[place] += allowed > 0
        elif what == "sealed" and not sealed:
            ledger.kept()
            ledger.sealed()
            sealed, pending = pending, Counter()
        elif what == "committed":
            ledger.committed()
            committed += sealed
            sealed.clear()
        elif what == "aborted":
            ledger.aborted()
            sealed.clear()
            pending.clear()
        elif what == "next epoch":
            # The snapshot of a batch does not change within it.
            ledger.begin()
            pending.clear()
            epoch += 1
        else:
            ledger.begin()
            pending.clear()
            if what == "dropped":  # what was sealed is settled before
                ledger.committed()
                committed += sealed
                sealed.clear()
                ledger.dropped(frozenset({partition}))
                committed = Counter({p: n for p, n in committed.items() if p[1] != partition})
        assert all(count <= permits[place[1]] for place, count in committed.items())


def test_a_partition_spends_its_share_and_no_other_s() -> None:
    ledger, grant = PermitLedger(), issued((2, 1, 0))
    assert [spend_if_left(ledger, grant, 0) for _ in range(4)] == [True, True, False, False]
    assert [spend_if_left(ledger, grant, 1) for _ in range(2)] == [True, False]
    assert not spend_if_left(ledger, grant, 2)


def test_a_partition_that_was_given_no_quantity_has_none() -> None:
    assert left(PermitLedger(), issued((2, 1)), 5) == 0
    assert left(PermitLedger(), issued(()), 0) == 0


def test_permits_end_with_their_expiry() -> None:
    ledger, grant = PermitLedger(), issued((2,))
    assert left(ledger, grant, 0, EXPIRY - 1) == 2
    assert left(ledger, grant, 0, EXPIRY) == 0


def test_an_aborted_batch_gives_its_permits_back() -> None:
    ledger, grant = PermitLedger(), issued((1,))
    assert spend_if_left(ledger, grant, 0)
    ledger.begin()
    assert spend_if_left(ledger, grant, 0)
    ledger.kept()
    ledger.sealed()
    ledger.committed()
    ledger.begin()
    assert not spend_if_left(ledger, grant, 0)


def test_a_new_epoch_has_permits_of_its_own() -> None:
    ledger = PermitLedger()
    assert spend_if_left(ledger, issued((1,), epoch=1), 0)
    ledger.kept()
    ledger.sealed()
    ledger.committed()
    assert spend_if_left(ledger, issued((1,), epoch=2), 0)
    ledger.kept()
    ledger.sealed()
    ledger.committed()
    assert not spend_if_left(ledger, issued((1,), epoch=2), 0)


def test_grants_of_other_names_do_not_spend_each_other_s_permits() -> None:
    ledger = PermitLedger()
    spend_if_left(ledger, issued((1,)), 0)
    ledger.kept()
    ledger.sealed()
    ledger.committed()
    assert left(ledger, issued((1,), name="probe acme/vega"), 0) == 1
    assert left(ledger, issued((1,), name="probe other/nova"), 0) == 1
    assert left(ledger, issued((1,), name="spare acme|nova"), 0) == 1
    assert left(ledger, issued((1,)), 0) == 0


def test_of_several_grants_the_scarcest_counts_and_each_is_spent() -> None:
    ledger, few, many = PermitLedger(), issued((1,)), issued((3,), name="probe acme/nova/7")
    assert ledger.left((few, many), 0, NOW) == ledger.left((many, few), 0, NOW) == 1
    ledger.spend((few, many), 0)
    assert (ledger.left((few, many), 0, NOW), left(ledger, many, 0)) == (0, 2)
    assert ledger.left((), 0, NOW) == 0, "no grant is no permit"


def test_a_partition_that_went_and_came_back_starts_anew_and_the_others_do_not() -> None:
    ledger, grant = PermitLedger(), issued((1, 1))
    spend_if_left(ledger, grant, 0)
    spend_if_left(ledger, grant, 1)
    ledger.kept()
    ledger.sealed()
    ledger.committed()
    ledger.dropped(frozenset({0}))
    assert (left(ledger, grant, 0, NOW), left(ledger, grant, 1, NOW)) == (1, 0)


def test_contacts_of_a_slice_that_failed_are_not_spent_with_the_slices_before_it() -> None:
    ledger, grant = PermitLedger(), issued((3,))
    ledger.begin()
    spend_if_left(ledger, grant, 0)
    ledger.kept()
    spend_if_left(ledger, grant, 0)
    assert left(ledger, grant, 0, NOW) == 1
    ledger.sealed()
    ledger.committed()
    ledger.begin()
    assert left(ledger, grant, 0, NOW) == 2
