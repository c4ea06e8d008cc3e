"""Look into a job's store without writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from milepost.databases.url import hide_password
from milepost.jobs.job import Job
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


def shown_url(job: Job | Migration, urls: Urls) -> str:
    """Where the job's store is, or would be, any password hidden."""
    return hide_password(store_url(job, urls))
