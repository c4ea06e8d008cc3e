"""Look into a job's store without writing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from milepost.databases.url import hide_password
from milepost.errors import MilepostError
from milepost.jobs.job import Job
from milepost.jobs.ledger import NO_ROWS
from milepost.jobs.state import Record
from milepost.jobs.store import Store
from milepost.migration.migration import Migration
from milepost.wiring.open import open_store
from milepost.wiring.run import Urls, store_url


@contextmanager
def look(job: Job | Migration, urls: Urls) -> Iterator[Store | None]:
    """The job's store, read-only; None where there is none yet."""
    store = open_store(store_url(job, urls), create=False)
    try:
        yield store
    finally:
        if store is not None:
            store.close()


def rejected_now(job: Job | Migration, urls: Urls) -> int | None:
    """How many rows of the job are rejected at present; None where its store cannot be asked."""
    try:
        with look(job, urls) as store:
            return None if store is None else count_rejects(store, job, store.checkpoints(job.name))
    except MilepostError:  # to be told at the end of what is done already: it must not look as if that had failed
        return None


def count_rejects(store: Store, job: Job | Migration, checkpoints: Sequence[Record]) -> int:
    """As the ledger counts them, as long as no rows went in again; then some are no rejects any more: asked for."""
    again = isinstance(job, Migration) and any("/" in record.path and record.batches for record in checkpoints)
    if again:
        return store.count_rejects(job.name, "")
    return sum((record.counts for record in checkpoints), NO_ROWS).rejected


def shown_url(job: Job | Migration, urls: Urls) -> str:
    """Where the job's store is, or would be, any password hidden."""
    return hide_password(store_url(job, urls))
