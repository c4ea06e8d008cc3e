"""From a URL to the store that it names."""

from __future__ import annotations

from milepost.clock import SystemClock
from milepost.databases.postgres import need_driver
from milepost.databases.url import expand, scheme, sqlite_path
from milepost.jobs.store import Store


def open_store(url: str, *, create: bool) -> Store | None:
    """The store at ``url``; environment variables in it are put in.

    With ``create`` it is made, or brought to the present schema, where need be. Without, nothing is ever written: the
    store can only be read, and None is returned where there is none. Raises PlanError for a URL that names no
    database, StoreError for something that is not a store or is of a newer schema, Retryable where it cannot be
    reached now.
    """
    url = expand(url)
    kind = scheme(url)
    if kind == "memory":
        return _memory() if create else None
    if kind == "sqlite":
        from milepost.stores.sqlite import SqliteStore

        path = sqlite_path(url)
        return SqliteStore.create(path) if create else SqliteStore.look(path)
    need_driver()
    from milepost.stores.postgres import PostgresStore

    return PostgresStore.create(url) if create else PostgresStore.look(url)


def _memory() -> Store:
    from milepost.stores.memory import MemoryStore

    return MemoryStore(SystemClock())
