"""Signs that a store is damaged, though the database itself may not complain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milepost.errors import StoreError


def refuse_torn(path: Path) -> None:
    """Raise StoreError for a SQLite file that lost all it held; to be called before SQLite opens it.

    SQLite takes an empty file for a new database, and removes the -wal beside it, which may hold the latest commits.
    """
    if path.exists() and path.stat().st_size:
        return
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        beside = f"{wal.name} beside it holds commits"
    elif path.exists() and (lease := next(path.parent.glob(f"{path.name}-*.lease"), None)):
        beside = f"{lease.name} beside it says that a run wrote to it"
    else:
        return
    raise StoreError(
        f"{path} {'is empty' if path.exists() else 'is not there'}, and {beside}",
        hint=f"Restore it from a backup. To begin anew with nothing, remove {path.name} and all files {path.name}-*.",
    )


@contextmanager
def well_formed(url: str) -> Iterator[None]:
    """Around reading what the store wrote: what it never writes is raised as a StoreError."""
    try:
        yield
    except ValueError as error:
        raise StoreError(
            f"the store {url} holds something that was never written by Milepost: {error}",
            hint="It is damaged. Keep it, and restore a backup.",
        ) from error
