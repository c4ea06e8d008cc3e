"""The store as an engine uses it from a checkpoint: the job and the lease are filled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from milepost.jobs.intent import Forgotten
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Entry, RejectedRow
from milepost.jobs.state import JSON, Record
from milepost.jobs.store import Store

Batch = tuple[str, int]
"""A batch by the path and ``seq`` of its ledger entry."""


class BoundStore:
    """What the store keeps of one job: see :class:`~milepost.jobs.store.Store` for what each method promises.

    What is written outside the checkpoint's ``transaction`` is durable by itself.
    """

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store = store
        self._lease = lease

    def now(self) -> datetime:
        return self._store.now()

    def get(self, path: str) -> Record | None:
        return self._store.get(self._lease.job, path)

    def recall(self, path: str) -> dict[str, JSON]:
        return self._store.recall(self._lease.job, path)

    def ledger(self, path: str) -> Iterator[Entry]:
        return self._store.ledger(self._lease.job, path)

    # -- rejects

    def rejects(self, path: str) -> Iterator[RejectedRow]:
        return self._store.rejects(self._lease.job, path)

    def find_rejects(self, path: str, keys: Sequence[JSON]) -> list[RejectedRow]:
        return self._store.find_rejects(self._lease.job, path, keys)

    def count_rejects(self, path: str, batches: Sequence[Batch] | None = None) -> int:
        return self._store.count_rejects(self._lease.job, path, batches)

    def forget_rejects(self, forgotten: Forgotten) -> int:
        path, keys, batches = forgotten.path, forgotten.keys, forgotten.batches
        return self._store.forget_rejects(self._lease, path, keys=keys, batches=batches)

    # -- the key map

    def map_keys(self, path: str, batch: Batch, rows: Sequence[tuple[str, JSON]]) -> None:
        self._store.map_keys(self._lease, path, batch, rows)

    def mapped(self, path: str, keys: Sequence[str]) -> dict[str, JSON]:
        return self._store.mapped(self._lease.job, path, keys)

    def mapped_from(self, path: str, targets: Sequence[JSON]) -> list[tuple[str, JSON]]:
        return self._store.mapped_from(self._lease.job, path, targets)

    def mapped_by(self, path: str, batches: Sequence[Batch]) -> list[tuple[str, JSON]]:
        return self._store.mapped_by(self._lease.job, path, batches)

    def unmap(self, path: str, keys: Sequence[str]) -> None:
        self._store.unmap(self._lease, path, keys)

    # -- links

    def keep_links(self, path: str, seq: int, links: Sequence[JSON]) -> None:
        self._store.keep_links(self._lease, path, seq, links)

    def links(self, path: str, after: tuple[int, int] | None = None) -> Iterator[tuple[int, int, JSON]]:
        return self._store.links(self._lease.job, path, after)
