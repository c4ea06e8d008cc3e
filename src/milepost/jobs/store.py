"""The Store contract: where runs, checkpoints, ledger and rejects are kept.

Every method that takes a lease is durable when it returns (fsynced), is atomic, and raises
:class:`~milepost.errors.LeaseLost` without having written anything when the lease's epoch is no longer the job's.
All times are the store's own clock's. No method loads more than it returns, and none gets slower with history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from milepost.jobs.lease import Lease, Run
from milepost.jobs.ledger import Entry, RejectedRow
from milepost.jobs.state import JSON, Completed, Record


class Store(Protocol):
    """What a job needs from the place that remembers it. ``url`` names it, any password hidden."""

    url: str

    # -- who may write

    def acquire(self, job: str, *, holder: str, ttl: float) -> Lease:
        """Take the lease under the next epoch, at once if its holder ended or is provably dead, or if it lapsed.

        Raises LeaseHeld, telling who holds it and until when, if it is held by a run that lives.
        """
        ...

    def renew(self, lease: Lease) -> None:
        """Extend the lease to ``ttl`` from now; a sign of life. Safe to call from another thread."""
        ...

    def release(self, lease: Lease, *, outcome: str, error: str | None = None) -> None:
        """End the run with ``outcome``, one of those that Run lists; the lease is free at once."""
        ...

    def runs(self, job: str) -> list[Run]:
        """The run history, oldest first."""
        ...

    def is_dead(self, job: str) -> bool:
        """Whether the latest run provably ended without recording it: the next one may start at once. Reads only.

        False where the end is recorded, where the run lives, and where it cannot be known before the lease lapses.
        """
        ...

    # -- writing together

    def transaction(self, lease: Lease) -> AbstractContextManager[Any]:
        """One transaction of the store's database, its driver's connection given to the caller.

        Checks the epoch first and holds it until the commit. Whatever the caller writes on the connection and every
        method of this store called inside commit together or not at all. Inside another transaction of this
        store it joins that one. A memory store gives None for the connection.
        """
        ...

    # -- checkpoints

    def put(self, lease: Lease, record: Record) -> None:
        """Write the record's state, attempt, position, result, failure. Times are the store's.

        A record with a failure leaves the position of a checkpoint that exists as it is: who failed cannot know
        whether its last commit was made, and a position must never be moved back over it.

        ``started_at`` is set when the state becomes STARTED for the first time since it was last pending or
        complete, ``finished_at`` when it becomes COMPLETE. ``counts`` and ``batches`` are not written: the
        ledger has them.
        """
        ...

    def get(self, job: str, path: str) -> Record | None:
        """The checkpoint, or None where there is none."""
        ...

    def checkpoints(self, job: str) -> list[Record]:
        """Every checkpoint of the job, in the order in which they were first written."""
        ...

    def completed_after(self, job: str, path: str, places: int) -> Sequence[Completed]:
        """Complete checkpoints of the job that were first written soon after ``path``, in that order.

        Looks at no more than the ``places`` next ones, and gives those that it finds there at little cost, none with
        a result that is large. So that one is missing says nothing about it; that one is there, that it is complete.
        """
        ...

    def append(self, lease: Lease, entry: Entry, rejects: Sequence[RejectedRow] = ()) -> None:
        """Add a batch to the ledger, with its rejects; the path's position becomes ``entry.high``.

        A ``seq`` that the path has already raises StoreError. One statement for the entry, one for the rejects.
        """
        ...

    def ledger(self, job: str, path: str) -> Iterator[Entry]:
        """The entries of one path, in order of ``seq``."""
        ...

    def rejects(self, job: str, path: str | None = None) -> Iterator[RejectedRow]:
        """The rejects of a path and all below it, or of the whole job, in order of path, batch and row."""
        ...

    def find_rejects(self, job: str, path: str, keys: Sequence[JSON]) -> list[RejectedRow]:
        """The rejects of the path and all below it whose ``key`` or ``target_key`` is one of ``keys``."""
        ...

    def count_rejects(self, job: str, path: str, batches: Sequence[tuple[str, int]] | None = None) -> int:
        """How many rejects the path and all below it have; with ``batches``, of these (path and ``seq``) alone."""
        ...

    def forget_rejects(
        self, lease: Lease, path: str, *, keys: Sequence[JSON] = (), batches: Sequence[tuple[str, int]] = ()
    ) -> int:
        """Forget the rejects of the path and all below it that have one of these source keys, or are of one of these
        batches (path and ``seq``). Returns how many. One statement for the keys, one for the batches."""
        ...

    def rewind(self, lease: Lease, path: str) -> int:
        """Forget the path, all below it, and with them their ledger, rejects, links and remembered values.

        The key map stays, as the rows do; but a batch that is made anew has the ``seq`` of one that is forgotten. So
        what an object's own batches mapped that are forgotten belongs to the batch (the object's path, -1) from then
        on; what has a ``seq`` below 1 stays where it is. The path "" is the whole job; its runs and epoch stay.
        Checkpoints above it that are complete become FAILED with the failure ``REWOUND``, so that the job goes on.
        Returns how many were forgotten.
        """
        ...

    # -- the key map: which row of the target came of which source row

    def map_keys(self, lease: Lease, path: str, batch: tuple[str, int], rows: Sequence[tuple[str, JSON]]) -> None:
        """Record for each source key (as text) the target's key or id, in place of what was there. One statement.

        ``path`` is the object's; ``batch``, the path and ``seq`` of the ledger entry that they belong to, is kept too.
        """
        ...

    def mapped(self, job: str, path: str, keys: Sequence[str]) -> dict[str, JSON]:
        """What these source keys of the object at ``path`` were mapped to, for those that were. One query."""
        ...

    def mapped_from(self, job: str, path: str, targets: Sequence[JSON]) -> list[tuple[str, JSON]]:
        """The source keys that were mapped to one of ``targets``, each with its target. One query."""
        ...

    def mapped_by(self, job: str, path: str, batches: Sequence[tuple[str, int]]) -> list[tuple[str, JSON]]:
        """The source keys, with their targets, that were last mapped by one of these batches."""
        ...

    def unmap(self, lease: Lease, path: str, keys: Sequence[str]) -> None:
        """Forget what these source keys of the object at ``path`` were mapped to. One statement."""
        ...

    # -- links: what is to be set in a row once all rows are in

    def keep_links(self, lease: Lease, path: str, seq: int, links: Sequence[JSON]) -> None:
        """Record the links of the batch ``seq`` of ``path`` in place of those it had. At most two statements."""
        ...

    def links(self, job: str, path: str, after: tuple[int, int] | None = None) -> Iterator[tuple[int, int, JSON]]:
        """The links of the path alone behind ``after``: batch, place in the batch from 0, and link; in that order."""
        ...

    # -- remembered values

    def remember(self, lease: Lease, path: str, name: str, value: JSON) -> JSON:
        """Record ``value`` under path and name unless one is recorded; return the recorded one."""
        ...

    def recall(self, job: str, path: str) -> dict[str, JSON]:
        """All remembered values of one path, by name."""
        ...

    def replace(self, lease: Lease, path: str, name: str, value: JSON) -> None:
        """Record ``value`` under path and name in place of what was there."""
        ...

    # -- the rest

    def jobs(self) -> list[str]:
        """The names of the jobs that this store has seen, in order of their names."""
        ...

    def now(self) -> datetime:
        """The store's time, with a zone (UTC)."""
        ...

    def close(self) -> None:
        """Let go of connections and locks. A lease that was not released counts as its holder's death."""
        ...
