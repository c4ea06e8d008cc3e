"""The eye of the power-loss tests: it sees what a store forgot, and what was done twice."""

from __future__ import annotations

import pytest

from fix_databases import Database
from milepost.jobs.ledger import Counts, Entry
from milepost.jobs.state import Record, State
from milepost.stores.sqlite import SqliteStore
from promised import done_twice, forgotten

STARTED = {"event": "RunStarted", "job": "crm", "epoch": 1}
BATCH = {"event": "BatchCommitted", "path": "customer", "seq": 1}
SAVED = {"event": "PositionSaved", "path": "send", "position": 3}
COMPLETE = {"event": "CheckpointCompleted", "path": "send"}
UNDONE = {"event": "RollbackStarted", "path": "send"}
BEGUN = {"event": "CheckpointStarted", "path": "send", "attempt": 1}


@pytest.fixture
def store(tmp_path) -> Database:
    """A job of which one batch, and a step's position 3 and completion are durable."""
    store = SqliteStore.create(tmp_path / "a.db")
    lease = store.acquire("crm", holder="test", ttl=60)
    store.put(lease, Record(path="customer", state=State.STARTED, attempt=1))
    store.append(lease, Entry(path="customer", seq=1, low=None, high=[1], counts=Counts()))
    store.put(lease, Record(path="send", state=State.COMPLETE, attempt=1, position=3))
    store.close()
    return Database(f"sqlite:///{tmp_path / 'a.db'}")


@pytest.mark.parametrize("event", [STARTED, BATCH, SAVED, COMPLETE, BEGUN])
def test_what_is_there_is_not_forgotten(store, event) -> None:
    assert list(forgotten(store, "crm", [event])) == []


@pytest.mark.parametrize(
    "event",
    [
        STARTED | {"epoch": 2},
        BATCH | {"seq": 2},
        SAVED | {"position": 4},
        SAVED | {"path": "other"},
        COMPLETE | {"path": "customer"},
        BEGUN | {"attempt": 2},
    ],
)
def test_what_is_not_there_is_forgotten(store, event) -> None:
    assert len(list(forgotten(store, "crm", [event]))) == 1


def test_a_store_that_is_gone_has_forgotten_all(tmp_path) -> None:
    assert len(list(forgotten(Database(f"sqlite:///{tmp_path / 'none.db'}"), "crm", [STARTED]))) == 1


def test_what_a_rollback_undid_is_promised_no_more(store) -> None:
    assert list(forgotten(store, "crm", [SAVED | {"position": 4}, UNDONE])) == []


def test_a_checkpoint_that_was_complete_ran_twice_unless_it_was_undone() -> None:
    assert len(list(done_twice([BEGUN, COMPLETE, BEGUN]))) == 1
    assert list(done_twice([BEGUN, COMPLETE, UNDONE, BEGUN, COMPLETE])) == []
    assert list(done_twice([BEGUN, BEGUN, COMPLETE])) == []


def test_a_batch_that_was_committed_twice_is_seen() -> None:
    assert len(list(done_twice([BATCH, BATCH]))) == 1
    assert list(done_twice([BATCH, BATCH | {"seq": 2}, BATCH | {"path": "invoice"}])) == []
