"""The part of the store contract about what is kept: checkpoints, ledger, rejects and values. Needs pytest."""
# ruff: noqa: S101 — a suite asserts

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from milepost.errors import StoreError
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Counts
from milepost.jobs.state import MOVES, REWOUND, Failure, Move, Record, State
from milepost.jobs.store import Store
from milepost.testing.store_fixtures import JOB, PATHS, VALUES, StoreFixtures, acquire, batch, reject, started
from milepost.testing.store_state import everything, untrue


class CheckpointContract(StoreFixtures):
    """Checkpoints and remembered values."""

    def test_what_was_never_written_is_not_there(self, store: Store) -> None:
        assert store.get(JOB, "") is None
        assert (store.checkpoints(JOB), store.runs(JOB), store.jobs()) == ([], [], [])
        assert (list(store.ledger(JOB, "a")), list(store.rejects(JOB)), store.recall(JOB, "a")) == ([], [], {})

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_json_comes_back_as_it_was(self, store: Store, lease: Lease, value: Any) -> None:
        store.put(lease, Record(path="a", state=State.STARTED, position=value, result=value))
        record = store.get(JOB, "a")
        assert record is not None
        assert repr(record.position) == repr(value)
        assert repr(record.result) == repr(value)
        assert repr(store.remember(lease, "a", "name", value)) == repr(value)
        assert repr(store.recall(JOB, "a")) == repr({"name": value})

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes"])
    def test_what_is_not_json_is_refused(self, store: Store, lease: Lease, value: Any) -> None:
        before = everything(store)
        with pytest.raises(StoreError):
            store.put(lease, Record(path="a", position=value))
        with pytest.raises(StoreError):
            store.put(lease, Record(path="a", result=value))
        with pytest.raises(StoreError):
            store.remember(lease, "a", "name", value)
        with pytest.raises(StoreError):
            store.replace(lease, "a", "name", value)
        assert everything(store) == before

    def test_a_record_comes_back_with_its_failure_and_without_what_the_ledger_has(
        self, store: Store, lease: Lease
    ) -> None:
        failure = Failure(kind="error", message="line 1\nline 2 \x00 '%s' \U0001f600")
        store.put(
            lease,
            Record(
                path="a", state=State.FAILED, attempt=3, position=1, failure=failure, counts=Counts(read=9), batches=9
            ),
        )
        record = store.get(JOB, "a")
        assert record is not None
        assert (record.state, record.attempt, record.position) == (State.FAILED, 3, 1)
        assert record.failure == Failure(kind="error", message="line 1\nline 2 \ufffd '%s' \U0001f600")
        assert (record.counts, record.batches) == (Counts(), 0)

    def test_recording_a_failure_never_moves_the_position_back(self, store: Store, lease: Lease) -> None:
        failure = Failure(kind="error", message="no answer to the commit")
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1, position=[2]))
        for state in (State.FAILED, State.ROLLING_BACK):
            store.put(lease, Record(path="a", state=state, attempt=1, position=[1], failure=failure))
            record = store.get(JOB, "a")
            assert record is not None
            assert (record.state, record.failure, record.position) == (state, failure, [2])
        store.put(lease, Record(path="a", state=State.STARTED, attempt=2, position=None))
        assert store.checkpoints(JOB)[0].position is None

    def test_checkpoints_come_in_the_order_in_which_they_were_first_written(self, store: Store, lease: Lease) -> None:
        for path in reversed(PATHS):
            store.put(lease, started(path))
        store.put(lease, Record(path=PATHS[3], state=State.COMPLETE, attempt=1))
        assert [record.path for record in store.checkpoints(JOB)] == list(reversed(PATHS))
        assert all(store.get(JOB, record.path) == record for record in store.checkpoints(JOB))

    def test_of_the_checkpoints_after_one_only_complete_ones_are_told(self, store: Store, lease: Lease) -> None:
        for number, state in enumerate((*State, *reversed(State))):
            store.put(lease, Record(path=f"a{number}", state=state, attempt=1, result={"n": [number, None]}))
        store.append(lease, batch("a6", 1, read=2, loaded=2))
        assert State.COMPLETE in (record.state for record in store.checkpoints(JOB)[4:7])
        for number in range(12):
            for places in (1, 2, 3, 99):
                assert untrue(store, JOB, f"a{number}", places) == []
        store.rewind(lease, "a6")
        store.put(lease, Record(path="a5", state=State.STARTED, attempt=2))
        store.put(lease, Record(path="a6", state=State.COMPLETE, attempt=1, result="x" * 100_000))
        assert untrue(store, JOB, "a0", 99) == []

    def test_nothing_is_told_after_a_checkpoint_that_is_not_there(self, store: Store, lease: Lease) -> None:
        store.put(lease, Record(path="a", state=State.COMPLETE, attempt=1))
        other = acquire(store, "other")
        store.put(other, Record(path="b", state=State.COMPLETE, attempt=1))
        assert list(store.completed_after(JOB, "b", 9)) == []
        assert list(store.completed_after("nothing", "a", 9)) == []
        assert list(store.completed_after(JOB, "a", 9)) == []

    @pytest.mark.parametrize("path", ["a\x00b", "\ud800"], ids=ascii)
    def test_a_name_that_cannot_be_kept_is_refused_not_changed(self, store: Store, lease: Lease, path: str) -> None:
        before = everything(store)
        with pytest.raises(StoreError):
            store.put(lease, started(path))
        with pytest.raises(StoreError):
            store.remember(lease, "a", path, 1)
        with pytest.raises(StoreError):
            store.acquire(path, holder="host:1", ttl=1.0)
        assert everything(store) == before

    def test_times_follow_the_states(self, store: Store, lease: Lease, wait: Callable[[float], None]) -> None:
        def put(state: State) -> Record:
            wait(0.01)
            store.put(lease, Record(path="a", state=state, attempt=1))
            record = store.get(JOB, "a")
            assert record is not None
            assert record.changed_at is not None
            assert record.changed_at.utcoffset() == timedelta(0)
            return record

        pending = put(State.PENDING)
        assert (pending.started_at, pending.finished_at) == (None, None)
        first = put(State.STARTED)
        assert first.started_at == first.changed_at
        assert put(State.FAILED).started_at == first.started_at
        again = put(State.STARTED)
        assert (again.started_at, again.finished_at) == (first.started_at, None)
        done = put(State.COMPLETE)
        assert (done.started_at, done.finished_at) == (first.started_at, done.changed_at)
        assert put(State.COMPLETE).finished_at == done.finished_at
        reopened = put(State.STARTED)
        assert (reopened.started_at, reopened.finished_at) == (reopened.changed_at, None)

    def test_the_first_value_under_a_name_is_the_one_that_stays(self, store: Store, lease: Lease) -> None:
        assert store.remember(lease, "a", "now", None) is None
        assert store.remember(lease, "a", "now", 2) is None
        store.remember(lease, "a/b", "now", 3)
        store.replace(lease, "a", "other", 4)
        store.replace(lease, "a", "other", [5])
        assert store.recall(JOB, "a") == {"now": None, "other": [5]}
        assert store.recall(JOB, "a/b") == {"now": 3}
        assert store.recall("other", "a") == {}

    def test_jobs_come_in_the_order_of_their_names(self, store: Store) -> None:
        names = ["b", "a", "\u00e9", "B", "a b", "\U0001f600", "%s", "'"]
        for name in names:
            acquire(store, name)
        assert store.jobs() == sorted(names)


class LedgerContract(StoreFixtures):
    """Batches, rejects and rewinding."""

    def test_position_and_counts_are_the_ledgers(self, store: Store, lease: Lease) -> None:
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1, position=["saved"]))
        store.append(lease, batch("a", 1, read=5, loaded=4, rejected=1), [reject(1)])
        store.append(lease, batch("a", 2, read=7, loaded=1, unchanged=3, filtered=3))
        record = store.get(JOB, "a")
        assert record is not None
        assert record.position == [20]
        assert record.counts == Counts(read=12, loaded=5, unchanged=3, filtered=3, rejected=1)
        assert record.batches == 2
        first, second = store.ledger(JOB, "a")
        assert (first.low, first.high, first.seq, first.epoch) == ([0], [10], 1, lease.epoch)
        assert second.counts == Counts(read=7, loaded=1, unchanged=3, filtered=3)
        assert record.changed_at == second.at
        store.put(lease, Record(path="a", state=State.COMPLETE, attempt=1, position=["saved"]))
        assert store.checkpoints(JOB)[0].position == [20]

    def test_only_the_next_batch_of_a_checkpoint_that_exists_is_added(self, store: Store, lease: Lease) -> None:
        store.put(lease, started("a"))
        store.append(lease, batch("a", 1, read=1))
        before = everything(store)
        for wrong in (batch("a", 1), batch("a", 3), batch("a", 0), batch("nobody", 1)):
            with pytest.raises(StoreError):
                store.append(lease, wrong, [reject(1)])
        assert everything(store) == before

    def test_rejects_come_in_the_order_of_path_batch_and_row_however_many(self, store: Store, lease: Lease) -> None:
        for path in PATHS:
            store.put(lease, started(path))
        for seq in (1, 2):
            for path in PATHS[1:]:
                store.append(lease, batch(path, seq), [reject(number) for number in range(seq * 120)])
        store.append(lease, batch("a", 3), [reject(number) for number in range(2500)])
        expected = [
            (path, seq, f"reason {number}")
            for path in sorted(PATHS[1:])
            for seq, many in ((1, 120), (2, 240), (3, 2500 if path == "a" else 0))
            for number in range(many)
        ]
        assert [(row.path, row.seq, row.reason) for row in store.rejects(JOB)] == expected
        for path in PATHS[1:]:
            below = [each for each in expected if f"{each[0]}/".startswith(f"{path}/")]
            assert [(row.path, row.seq, row.reason) for row in store.rejects(JOB, path)] == below

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_a_rejects_content_comes_back_as_it_was(self, store: Store, lease: Lease, value: Any) -> None:
        store.put(lease, started("a"))
        store.append(lease, batch("a", 1), [reject(7, column=value)])
        (row,) = store.rejects(JOB, "a")
        assert repr(row.content) == repr({"column": value})
        assert (row.path, row.seq, row.stage, row.key) == ("a", 1, "restructure", [7])
        assert row.at == next(store.ledger(JOB, "a")).at

    def test_a_long_ledger_is_read_in_order(self, store: Store, lease: Lease) -> None:
        store.put(lease, started("a"))
        with store.transaction(lease):
            for seq in range(1, 1102):
                store.append(lease, batch("a", seq, read=1))
        assert [entry.seq for entry in store.ledger(JOB, "a")] == list(range(1, 1102))

    def test_rewinding_forgets_the_path_and_all_below_it_and_nothing_beside_it(
        self, store: Store, lease: Lease
    ) -> None:
        for path in PATHS:
            store.put(lease, Record(path=path, state=State.COMPLETE, attempt=2, result="done"))
            store.append(lease, batch(path, 1, read=1, rejected=1), [reject(1)])
            store.remember(lease, path, "name", path)
        assert store.rewind(lease, "a") == 3
        left = [path for path in PATHS if path not in ("a", "a/b", "a/b/c")]
        assert [record.path for record in store.checkpoints(JOB)] == left
        assert [row.path for row in store.rejects(JOB)] == sorted(left)
        for path in ("a", "a/b", "a/b/c"):
            assert (list(store.ledger(JOB, path)), store.recall(JOB, path), store.get(JOB, path)) == ([], {}, None)
        states = {record.path: record.state for record in store.checkpoints(JOB)}
        assert states == {path: State.COMPLETE if path else State.FAILED for path in left}
        root = store.get(JOB, "")
        assert root is not None
        assert (root.failure, root.finished_at, root.attempt) == (
            REWOUND,
            None,
            2,
        )
        store.put(lease, started("a"))
        store.append(lease, batch("a", 1, read=1))
        assert [record.path for record in store.checkpoints(JOB)] == [*left, "a"]

    @pytest.mark.parametrize("state", State)
    def test_rewinding_moves_what_is_above_and_what_is_forgotten_as_the_table_says(
        self, store: Store, lease: Lease, state: State
    ) -> None:
        for path in ("a", "a/b"):
            store.put(lease, Record(path=path, state=state, attempt=1))
        assert store.rewind(lease, "a/b") == 1
        forgotten, above = store.get(JOB, "a/b") or Record(path="a/b"), store.get(JOB, "a")
        assert above is not None
        assert forgotten.state is MOVES[state][Move.FORGET]
        assert above.state is MOVES[state].get(Move.REWIND, state)

    def test_rewinding_everything_keeps_runs_epoch_and_other_jobs(self, store: Store, lease: Lease) -> None:
        other = acquire(store, "other")
        for path in PATHS:
            store.put(lease, started(path))
            store.put(other, started(path))
            store.remember(lease, path, "name", 1)
        assert store.rewind(lease, "") == len(PATHS)
        assert store.rewind(lease, "") == 0
        assert store.checkpoints(JOB) == []
        assert store.recall(JOB, "") == {}
        assert len(store.checkpoints("other")) == len(PATHS)
        assert [run.epoch for run in store.runs(JOB)] == [1]
        store.put(lease, started(""))

    def test_rewinding_what_is_not_there_changes_nothing(self, store: Store, lease: Lease) -> None:
        store.put(lease, Record(path="", state=State.COMPLETE, attempt=1))
        store.put(lease, Record(path="a", state=State.COMPLETE, attempt=1))
        before = everything(store)
        assert store.rewind(lease, "a/nothing") == 0
        assert everything(store) == before
