"""Where an object's rows come from and go to, as the user writes it down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ReadRows = Callable[[Any], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Table:
    """A table (or view) of a database, ``name`` as the database has it, ``schema.name`` where it has schemas.

    ``key`` identifies a row: one column's name, or a tuple of names. A source is read in its order; a target is
    upserted on it, and must hold it unique. ``columns`` limits what is read to those, ``where`` is a condition in the
    source's SQL. ``id`` is a key that the target makes itself, ``modified`` a column that tells when a row was last
    changed. ``database`` is a URL that takes the place of the migration's own.
    """

    name: str
    key: str | tuple[str, ...]
    id: str | None = None
    columns: tuple[str, ...] | None = None
    where: str | None = None
    modified: str | None = None
    database: str | None = None

    def __init__(
        self,
        name: str,
        *,
        key: str | Iterable[str],
        id: str | None = None,  # noqa: A002 - the glossary's word
        columns: Iterable[str] | None = None,
        where: str | None = None,
        modified: str | None = None,
        database: str | None = None,
    ) -> None:
        settings = {"name": name, "key": _names(key), "id": id, "columns": None if columns is None else tuple(columns)}
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


def key_of(place: Table | Query | Rows) -> tuple[str, ...]:
    """The key's columns in their order."""
    return place.key if isinstance(place.key, tuple) else (place.key,)


def _names(key: str | Iterable[str]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else tuple(key)
