"""The contract of a store as tests, for ours and for others'. Needs pytest.

Derive a class from :class:`StoreContract`, give it the fixture ``open_store``, and let pytest collect it::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path / "store")

``milepost.testing.store_machine`` drives a store beside the model at random.
"""
# ruff: noqa: S101, PT012 — a suite asserts; what was written inside is what must be gone

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, timedelta

import pytest

from milepost.errors import LeaseHeld, LeaseLost, StoreError
from milepost.jobs.lease import Lease
from milepost.jobs.state import Record, State
from milepost.jobs.store import Store
from milepost.testing.store_fixtures import JOB, TTL, Open, StoreFixtures, acquire, batch, reject, started
from milepost.testing.store_records import CheckpointContract, LedgerContract
from milepost.testing.store_rows import KeyMapContract, LinksContract, RejectsContract
from milepost.testing.store_state import everything


class LeaseContract(StoreFixtures):
    """Who may write."""

    def test_the_first_lease_has_epoch_one_and_nobody_before(self, store: Store) -> None:
        lease = acquire(store)
        assert (lease.job, lease.epoch, lease.holder, lease.ttl) == (JOB, 1, "host:1", TTL)
        assert lease.previous_sign_of_life is None
        assert timedelta(0) <= store.now() - lease.acquired_at < timedelta(seconds=60)

    def test_a_second_run_is_refused_and_told_who_holds_the_lease_until_when(self, store: Store, lease: Lease) -> None:
        before = everything(store)
        with pytest.raises(LeaseHeld) as refused:
            store.acquire(JOB, holder="host:2", ttl=TTL)
        until = store.runs(JOB)[0].lease_until
        assert "host:1" in str(refused.value)
        assert f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" in str(refused.value)
        assert everything(store) == before
        store.put(lease, started(""))

    def test_another_job_has_a_lease_of_its_own(self, store: Store, lease: Lease) -> None:
        assert acquire(store, "other").epoch == 1
        store.put(lease, started(""))
        assert store.checkpoints("other") == []

    def test_a_released_lease_is_free_at_once(self, store: Store, lease: Lease) -> None:
        store.release(lease, outcome="failed", error="no \x00 luck")
        following = acquire(store)
        assert following.epoch == 2
        assert following.previous_sign_of_life is not None
        assert lease.acquired_at <= following.previous_sign_of_life <= following.acquired_at
        first, second = store.runs(JOB)
        assert (first.outcome, first.error) == ("failed", "no \ufffd luck")
        assert first.ended_at is not None
        assert (second.epoch, second.outcome, second.ended_at) == (2, None, None)

    def test_a_closed_store_counts_as_its_holders_death(self, open_store: Open) -> None:
        store = open_store()
        first = acquire(store)
        store.put(first, started("a"))
        store.close()
        again = open_store()
        following = acquire(again)
        assert following.epoch == 2
        assert again.runs(JOB)[0].outcome is None
        with pytest.raises(LeaseLost):
            again.put(first, started("b"))
        assert [record.path for record in again.checkpoints(JOB)] == ["a"]
        again.close()

    def test_a_lapsed_lease_is_taken_over_and_its_holder_cannot_write(
        self, store: Store, wait: Callable[[float], None]
    ) -> None:
        first = acquire(store, ttl=0.2)
        wait(0.3)
        following = acquire(store)
        assert following.epoch == 2
        with pytest.raises(LeaseLost):
            store.renew(first)
        with pytest.raises(LeaseLost):
            store.put(first, started("a"))
        with pytest.raises(LeaseLost):
            store.release(first, outcome="complete")
        assert store.checkpoints(JOB) == []
        store.put(following, started("a"))

    def test_a_lapsed_lease_that_nobody_took_still_writes(self, store: Store, wait: Callable[[float], None]) -> None:
        lease = acquire(store, ttl=0.2)
        wait(0.3)
        store.renew(lease)
        store.put(lease, started("a"))

    def test_renewing_moves_the_leases_end(self, store: Store, lease: Lease, wait: Callable[[float], None]) -> None:
        before = store.runs(JOB)[0]
        wait(0.02)
        store.renew(lease)
        after = store.runs(JOB)[0]
        assert after.lease_until > before.lease_until
        assert after.seen_at > before.seen_at

    def test_renewing_beside_an_open_transaction_neither_joins_nor_breaks_it(self, store: Store, lease: Lease) -> None:
        errors: list[BaseException] = []

        def renew() -> None:
            try:
                store.renew(lease)
            except BaseException as error:  # noqa: BLE001 — any is one too many
                errors.append(error)

        short = Lease(**{**vars(lease), "ttl": 1.0})
        with pytest.raises(ZeroDivisionError), store.transaction(lease):
            store.put(lease, started("a"))
            store.renew(lease)
            lease = short
            thread = threading.Thread(target=renew)
            thread.start()
            thread.join(timeout=0.5)
            _ = 1 / 0
        thread.join()
        assert errors == []
        assert store.checkpoints(JOB) == []
        store.put(lease, started("a"))

    def test_no_lease_is_taken_or_released_inside_a_transaction(self, store: Store, lease: Lease) -> None:
        with store.transaction(lease):
            with pytest.raises(StoreError):
                acquire(store, "other")
            with pytest.raises(StoreError):
                store.release(lease, outcome="complete")
        assert [run.outcome for run in store.runs(JOB)] == [None]


class FenceContract(StoreFixtures):
    """A lease that is no longer valid writes nothing, whatever is called."""

    WRITES: tuple[Callable[[Store, Lease], object], ...] = (
        lambda store, lease: store.put(lease, started("new")),
        lambda store, lease: store.append(lease, batch("a", 2)),
        lambda store, lease: store.remember(lease, "a", "name", 2),
        lambda store, lease: store.replace(lease, "a", "name", 2),
        lambda store, lease: store.forget_rejects(lease, "a", keys=[[1]], batches=[("a", 1)]),
        lambda store, lease: store.map_keys(lease, "a", ("a", 1), [("k", 2), ("new", 2)]),
        lambda store, lease: store.map_keys(lease, "a", ("a", 1), []),
        lambda store, lease: store.unmap(lease, "a", ["k"]),
        lambda store, lease: store.keep_links(lease, "a", 1, ["other"]),
        lambda store, lease: store.keep_links(lease, "a", 2, ["new"]),
        lambda store, lease: store.rewind(lease, "a"),
        lambda store, lease: store.renew(lease),
        lambda store, lease: store.release(lease, outcome="complete"),
        lambda store, lease: store.transaction(lease).__enter__(),
    )

    @pytest.fixture
    def written(self, store: Store, lease: Lease) -> Lease:
        store.put(lease, started("a"))
        store.append(lease, batch("a", 1, read=1, rejected=1), [reject(1)])
        store.remember(lease, "a", "name", 1)
        store.map_keys(lease, "a", ("a", 1), [("k", 1)])
        store.keep_links(lease, "a", 1, ["link"])
        return lease

    @pytest.mark.parametrize("write", WRITES)
    def test_a_released_lease_writes_nothing(
        self, store: Store, written: Lease, write: Callable[[Store, Lease], object]
    ) -> None:
        store.release(written, outcome="complete")
        before = everything(store)
        with pytest.raises(LeaseLost):
            write(store, written)
        assert everything(store) == before

    @pytest.mark.parametrize("write", WRITES)
    def test_a_lease_that_was_taken_over_writes_nothing_even_inside_the_successors_transaction(
        self, store: Store, written: Lease, write: Callable[[Store, Lease], object]
    ) -> None:
        store.release(written, outcome="interrupted")
        following = acquire(store)
        before = everything(store)
        with pytest.raises(LeaseLost):
            write(store, written)
        assert everything(store) == before
        if write not in self.WRITES[-3:]:
            with store.transaction(following), pytest.raises(LeaseLost):
                write(store, written)
        assert everything(store) == before


class TransactionContract(StoreFixtures):
    """Together or not at all."""

    def test_what_is_written_inside_commits_together(self, store: Store, lease: Lease, open_store: Open) -> None:
        with store.transaction(lease):
            store.put(lease, started("a"))
            store.append(lease, batch("a", 1, read=2, loaded=1, rejected=1), [reject(1)])
            store.remember(lease, "a", "name", "value")
        again = open_store()
        assert everything(again) == everything(store)
        assert again.recall(JOB, "a") == {"name": "value"}

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
    def test_an_error_inside_leaves_nothing_behind(
        self, store: Store, lease: Lease, error: type[BaseException]
    ) -> None:
        store.put(lease, started("a"))
        before = everything(store)
        with pytest.raises(error), store.transaction(lease):
            store.put(lease, Record(path="a", state=State.COMPLETE, attempt=1))
            store.put(lease, started("b"))
            store.append(lease, batch("a", 1, read=1, rejected=1), [reject(1)])
            store.remember(lease, "a", "name", "value")
            store.rewind(lease, "a")
            raise error
        assert everything(store) == before
        store.put(lease, started("c"))

    def test_an_inner_transaction_commits_with_the_outer_one(self, store: Store, lease: Lease) -> None:
        before = everything(store)
        with pytest.raises(ZeroDivisionError), store.transaction(lease):
            with store.transaction(lease):
                store.put(lease, started("a"))
            assert store.get(JOB, "a") is not None
            _ = 1 / 0
        assert everything(store) == before

    def test_an_inner_transaction_that_fails_takes_back_its_own_writes_only(self, store: Store, lease: Lease) -> None:
        with store.transaction(lease):
            store.put(lease, started("a"))
            with pytest.raises(ZeroDivisionError), store.transaction(lease):
                store.put(lease, started("b"))
                _ = 1 / 0
            store.put(lease, started("c"))
        assert [record.path for record in store.checkpoints(JOB)] == ["a", "c"]

    def test_a_refused_method_inside_leaves_the_rest_intact(self, store: Store, lease: Lease) -> None:
        with store.transaction(lease):
            store.put(lease, started("a"))
            with pytest.raises(StoreError):
                store.append(lease, batch("a", 2, read=1, rejected=1), [reject(1)])
            with pytest.raises(StoreError):
                store.put(lease, Record(path="b", position=float("nan")))
        assert [record.path for record in store.checkpoints(JOB)] == ["a"]
        assert list(store.rejects(JOB)) == []


class StoreContract(
    LeaseContract,
    FenceContract,
    TransactionContract,
    CheckpointContract,
    LedgerContract,
    RejectsContract,
    KeyMapContract,
    LinksContract,
):
    """All of it."""
