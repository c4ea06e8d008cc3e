"""A commit that was made, and whose answer was lost with the connection: what is durable is never moved back."""

from contextlib import contextmanager, suppress

import pytest

from milepost.errors import Retryable
from milepost.jobs.ledger import Counts
from milepost.jobs.retry import Patience
from milepost.jobs.runner import run
from milepost.jobs.state import State
from milepost.stores.memory import MemoryStore
from milepost.stores.postgres import PostgresStore
from milepost.stores.sqlite import SqliteStore
from milepost.testing.clock import ManualClock


class Silent:
    """A store whose next write or transaction after ``silent`` is set is committed, and raises all the same."""

    silent = False
    forgetful = False  # the committed work shows only later: what is read anew is still the old

    @contextmanager
    def transaction(self, lease):
        with super().transaction(lease):
            yield
        self._answer()

    def put(self, lease, record):
        super().put(lease, record)
        self._answer()

    def append(self, lease, entry, rejects=()):
        super().append(lease, entry, rejects)
        self._answer()

    def get(self, job, path):
        found = super().get(job, path)
        return self.old if self.forgetful and path == "a" else found

    def _answer(self):
        if self.silent and not self._depth:
            self.silent = False
            self._cut()
            raise Retryable("the server closed the connection")

    def _cut(self):
        """The connection is gone, where there is one."""


class SilentMemory(Silent, MemoryStore):
    pass


class SilentSqlite(Silent, SqliteStore):
    pass


class SilentPostgres(Silent, PostgresStore):
    def _cut(self):
        self._connection.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    match request.param:
        case "memory":
            store = SilentMemory(ManualClock())
        case "sqlite":
            store = SilentSqlite.create(tmp_path / "store.db")
        case _:
            store = SilentPostgres.create(request.getfixturevalue("postgres_url"))
    yield store
    store.close()


def start(store, body, **options):
    """A run that ends with its first fault, so that the next one meets what it left."""
    return run("job", lambda cp: cp.call("a", body, **options), store=store, patience=Patience(tries=1))


def save(cp) -> None:
    cp.save(2)


def save_together(cp) -> None:
    with cp.transaction():
        cp.save(2)


def add(cp) -> None:
    cp.append(1, 2, Counts(read=1, loaded=1))


def add_together(cp) -> None:
    with cp.transaction():
        cp.append(1, 2, Counts(read=1, loaded=1))


WRITES = [save, save_together, add, add_together]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("late", [False, True], ids=["seen at once", "seen only when the failure was recorded"])
def test_a_failure_after_a_commit_without_an_answer_keeps_what_was_committed(store, write, late) -> None:
    def body(cp):
        before(cp, write)
        store.old = store.get("job", "a")
        store.silent, store.forgetful = True, late
        write(cp)

    with pytest.raises(Retryable, match="closed the connection"):
        start(store, body)
    store.forgetful = False
    assert (store.get("job", "a").state, store.get("job", "a").position) == (State.FAILED, 2)
    assert start(store, lambda cp: [cp.recovering, cp.position]) == [True, 2]


def before(cp, write) -> None:
    if write in (save, save_together):
        cp.save(1)
    else:
        cp.append(None, 1, Counts(read=1, loaded=1))


@pytest.mark.parametrize("write", WRITES)
def test_a_step_that_passes_over_the_error_sees_what_was_committed_and_completes_with_it(store, write) -> None:
    def body(cp):
        before(cp, write)
        store.silent = True
        with suppress(Retryable):
            write(cp)
        return [cp.position, cp.batches]

    assert start(store, body) == [2, 0 if write in (save, save_together) else 2]
    assert (store.get("job", "a").state, store.get("job", "a").position) == (State.COMPLETE, 2)


def test_a_rollback_that_failed_after_a_commit_without_an_answer_goes_on_from_there(store) -> None:
    seen = []

    def undo(cp):
        seen.append(cp.position)
        if len(seen) == 1:
            store.silent = True
            cp.save("half undone")

    def body(cp):
        cp.save(1)
        if len(seen) == 0:
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        start(store, body, rollback=undo)
    with pytest.raises(Retryable):
        start(store, body, rollback=undo)
    start(store, body, rollback=undo)
    assert seen == [1, "half undone"]
