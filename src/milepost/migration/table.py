"""Where an object's rows come from and go to, as the user writes it down."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, overload

from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint

ReadRows = Callable[[Any], Iterable[Mapping[str, Any]]]
WriteRows = Callable[[list[dict[str, Any]], Checkpoint], object]


@dataclass(frozen=True)
class Table:
    """A table (or view) of a database, ``name`` as the database has it, ``schema.name`` where it has schemas.

    ``key`` identifies a row: one column's name, or a tuple of names. A source is read in its order; a target is
    upserted on it, and must hold it unique. ``columns`` limits what is read to those, ``where`` is a condition in the
    source's SQL. ``id`` is a key that the target makes itself, and that children are given; a target that has one may
    do without ``key``: the store then remembers which row came of which source row. ``modified`` is a column that tells
    when a row was last changed. ``database`` is a URL that takes the place of the migration's own.
    """

    name: str
    key: str | tuple[str, ...] | None
    id: str | None = None
    columns: tuple[str, ...] | None = None
    where: str | None = None
    modified: str | None = None
    database: str | None = None

    @overload
    def __init__(
        self,
        name: str,
        *,
        key: str | Iterable[str],
        id: str | None = None,
        columns: Iterable[str] | None = None,
        where: str | None = None,
        modified: str | None = None,
        database: str | None = None,
    ) -> None: ...
    @overload
    def __init__(self, name: str, *, id: str, database: str | None = None) -> None: ...
    def __init__(
        self,
        name: str,
        *,
        key: str | Iterable[str] | None = None,
        id: str | None = None,  # noqa: A002 - the glossary's word
        columns: Iterable[str] | None = None,
        where: str | None = None,
        modified: str | None = None,
        database: str | None = None,
    ) -> None:
        if key is None and id is None:
            raise PlanError(
                f"the table {name} has neither key= nor id=, so its rows cannot be told apart",
                hint="Name the columns that identify a row (key=), or the column that the target makes itself (id=).",
            )
        names = None if key is None else _names(key)
        settings = {"name": name, "key": names, "id": id, "columns": None if columns is None else tuple(columns)}
        settings |= {"where": where, "modified": modified, "database": database}
        for field, value in settings.items():
            object.__setattr__(self, field, value)


@dataclass(frozen=True)
class Query:
    """A SELECT as a source. ``key`` names columns of its result, by whose order it is read."""

    sql: str
    key: str | tuple[str, ...]
    modified: str | None = None
    database: str | None = None

    def __init__(
        self, sql: str, *, key: str | Iterable[str], modified: str | None = None, database: str | None = None
    ) -> None:
        settings = {"sql": sql, "key": _names(key), "modified": modified, "database": database}
        for field, value in settings.items():
            object.__setattr__(self, field, value)

    @property
    def name(self) -> str:
        """The query on one line, shortened, for messages."""
        line = " ".join(self.sql.split())
        return line if len(line) <= 60 else line[:57] + "…"


@dataclass(frozen=True)
class Rows:
    """The user's own function as a source: an API, a generator, a file.

    ``read(after)`` yields dicts in ascending order of their key, those behind the key ``after`` only (a value, or a
    tuple for a composite key; None: from the beginning). Milepost calls it again with the last committed key on resume.
    """

    read: ReadRows
    key: str | tuple[str, ...]

    def __init__(self, read: ReadRows, *, key: str | Iterable[str]) -> None:
        object.__setattr__(self, "read", read)
        object.__setattr__(self, "key", _names(key))

    @property
    def name(self) -> str:
        """The function's name, for messages."""
        return f"rows of {getattr(self.read, '__name__', 'a function')}"


@dataclass(frozen=True)
class Sink:
    """The user's own function as a target: an API, a queue, a file; something that has no transaction with us.

    ``write(rows, cp)`` sends a batch, a list of dicts, and returns when it is there. It is called again for the same
    range where nobody knows whether it came through, with the rows that the source has there by then: ``cp.in_doubt``
    is True, and ``cp.token`` what ``write`` had handed to ``cp.settle_by`` before (or None). So it must upsert on
    ``key``, the columns that identify a row, or ask the other side. What it raises
    ends the run; a Retryable is tried again.
    """

    write: WriteRows
    key: str | tuple[str, ...]
    database: ClassVar[None] = None  # it is in none

    def __init__(self, write: WriteRows, *, key: str | Iterable[str]) -> None:
        object.__setattr__(self, "write", write)
        object.__setattr__(self, "key", _names(key))

    @property
    def name(self) -> str:
        """The function's name, for messages."""
        return getattr(self.write, "__name__", "a function")


def key_of(place: Table | Query | Rows | Sink) -> tuple[str, ...]:
    """The key's columns in their order; the id's where there is no key."""
    if isinstance(place, Table) and place.key is None:
        return (place.id or "",)
    assert place.key is not None  # noqa: S101 - only a Table may have none
    return place.key if isinstance(place.key, tuple) else (place.key,)


def file_of(place: Table | Sink) -> Path | None:
    """The file in which a Sink's function stands; None where there is none."""
    code = getattr(inspect.unwrap(place.write), "__code__", None) if isinstance(place, Sink) else None
    path = None if code is None else Path(code.co_filename)
    return path.resolve() if path is not None and path.is_file() else None


def _names(key: str | Iterable[str]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else tuple(key)
