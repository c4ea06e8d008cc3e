"""What is done to a store at random, as values: to be drawn, shown, and sent to the process that holds the store."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from milepost.errors import MilepostError
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.state import JSON, Record
from milepost.jobs.store import Store
from milepost.testing.store_state import everything, moved

Act = Callable[[Store, Any], Any]  # with a lease, or None where it needs none
Part = tuple[Act] | tuple[list[Act], bool]  # a write, or an inner transaction and whether it commits


class Undo(Exception):
    """Raised inside a transaction to have it rolled back."""


class Died(BaseException):
    """What a model raises where the process that holds a store is killed."""


def outcome(act: Act, store: Store, lease: Lease | None) -> Any:
    """What came of it: a result, or the kind of error."""
    try:
        return act(store, lease)
    except (MilepostError, Undo) as error:
        return type(error)


# -- writes


def put(store: Store, lease: Lease, *, record: Record) -> None:
    store.put(lease, record)


def append(
    store: Store,
    lease: Lease,
    *,
    path: str,
    high: JSON,
    modified: JSON,
    counts: Counts,
    rejects: Sequence[RejectedRow],
    step: int,
) -> None:
    """The next batch where ``step`` is 1; anything else must be refused."""
    record = store.get(lease.job, path)
    seq, low = (record.batches if record else 0) + step, record and record.position
    store.append(lease, Entry(path=path, seq=seq, low=low, high=high, counts=counts, modified=modified), rejects)


def forget_rejects(
    store: Store, lease: Lease, *, path: str, keys: Sequence[JSON], batches: Sequence[tuple[str, int]]
) -> int:
    return store.forget_rejects(lease, path, keys=keys, batches=batches)


def map_keys(
    store: Store, lease: Lease, *, path: str, batch: tuple[str, int], rows: Sequence[tuple[str, JSON]]
) -> None:
    store.map_keys(lease, path, batch, rows)


def unmap(store: Store, lease: Lease, *, path: str, keys: Sequence[str]) -> None:
    store.unmap(lease, path, keys)


def keep_links(store: Store, lease: Lease, *, path: str, seq: int, links: Sequence[JSON]) -> None:
    store.keep_links(lease, path, seq, links)


def remember(store: Store, lease: Lease, *, path: str, name: str, value: JSON) -> JSON:
    return store.remember(lease, path, name, value)


def replace(store: Store, lease: Lease, *, path: str, name: str, value: JSON) -> None:
    store.replace(lease, path, name, value)


def rewind(store: Store, lease: Lease, *, path: str) -> int:
    return store.rewind(lease, path)


def die(store: Store, lease: Lease) -> None:  # noqa: ARG001 — an act like any other
    """Kill the process that holds the store; with a model, raise Died."""
    if model := getattr(store, "die", None):
        model()
    os.kill(os.getpid(), signal.SIGKILL)


def together(store: Store, lease: Lease, *, body: Sequence[Part], commit: bool) -> list[Any]:
    """All of it in one transaction; what came of each part, and the paths seen at its end."""
    outcomes: list[Any] = []
    with store.transaction(lease):
        for part in body:
            if len(part) == 2:
                writes, inner = part
                act: Act = partial(together, body=[(each,) for each in writes], commit=inner)
            else:
                (act,) = part
            outcomes.append(outcome(act, store, lease))
        outcomes.append([record.path for record in store.checkpoints(lease.job)])
        if not commit:
            raise Undo
    return outcomes


# -- the lease


def acquire(store: Store, lease: Lease | None, *, job: str, holder: str, ttl: float) -> Lease:  # noqa: ARG001 — likewise
    return store.acquire(job, holder=holder, ttl=ttl)


def release(store: Store, lease: Lease, *, outcome: str, error: str | None) -> None:
    store.release(lease, outcome=outcome, error=error)


def renew(store: Store, lease: Lease) -> None:
    store.renew(lease)


# -- looking


def told(store: Store, lease: Lease | None, *, prefix: str, paths: Sequence[str]) -> dict[str, Any]:  # noqa: ARG001 — likewise
    """All that the store tells about jobs with that prefix, with what it keeps of paths that may have no checkpoint."""
    jobs = everything(store, prefix=prefix, times=False)
    return {
        job: (each, [store.recall(job, path) for path in paths], moved(store, job, paths)) for job, each in jobs.items()
    }


def deaths(store: Store, lease: Lease | None, *, jobs: Sequence[str]) -> list[bool]:  # noqa: ARG001 — likewise
    """Which of the jobs' runs are provably dead."""
    return [store.is_dead(job) for job in jobs]
