"""Look at a table or view: its columns, and what it holds unique under which collations."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from milepost.connectors.sql.sqlite.quote import quote, texted
from milepost.errors import PlanError
from milepost.migration.description import Column, Description, Kind

AFFINITIES = (  # SQLite's own rules, in its own order
    ("INTEGER", ("INT",)),
    ("TEXT", ("CHAR", "CLOB", "TEXT")),
    ("BLOB", ("BLOB",)),
    ("REAL", ("REAL", "FLOA", "DOUB")),
)
BINARY = "BINARY"


@dataclass(frozen=True)
class Unique:
    """A plain unique index: its columns in order, and the collation under which it compares each."""

    columns: tuple[str, ...]
    collations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """What SQLite says of a table or view. ``schema`` is "main" or "temp"; ``ddl`` is its CREATE statement.

    ``rowid`` is the column that is the row's own number: INTEGER PRIMARY KEY, which SQLite fills where it is not given.
    ``number`` is a name, none of a column's, for the number that each row has; None where rows have none.
    """

    description: Description
    schema: str
    uniques: tuple[Unique, ...]
    strict: bool
    ddl: str
    rowid: str | None = None
    number: str | None = None

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def quoted(self) -> str:
        return f"{self.schema}.{quote(self.name)}"

    def affinity(self, name: str) -> str:
        """The affinity of a column that is there."""
        column = self.description.column(name)
        return (column.affinity if column else None) or "BLOB"

    def unique(self, key: Iterable[str]) -> Unique | None:
        """The unique index that covers exactly these columns, in whatever order."""
        wanted = frozenset(key)
        return next((unique for unique in self.uniques if frozenset(unique.columns) == wanted), None)


def look(connection: sqlite3.Connection, name: str, *, schema: str = "main", shown: str = "") -> Table:
    """The table or view of that name. Raises PlanError naming it, with names that are near, if it is not there."""
    kinds = "SELECT name, type, sql FROM {}.sqlite_master WHERE type IN ('table', 'view')"
    rows = connection.execute(kinds.format(schema)).fetchall()
    found = next((row for row in rows if row[0] == name), None)
    found = found or next((row for row in rows if row[0].lower() == name.lower()), None)
    if found is None:
        raise PlanError(f"{shown or 'the database'} has no table {name!r}", hint=near(name, [row[0] for row in rows]))
    return _table(connection, schema, *found)


def near(name: str, names: Sequence[str]) -> str:
    """A hint: the names that look like this one, or all that there are."""
    lowered = {other.lower(): other for other in names}
    close = [lowered[other] for other in difflib.get_close_matches(name.lower(), lowered)]
    if close:
        return f"Did you mean {' or '.join(repr(other) for other in close)}?"
    if not names:
        return "There is none at all: check the URL."
    more = ", …" if len(names) > 12 else ""
    return f"There is: {', '.join(sorted(names)[:12])}{more}"


def require(description: Description, names: Iterable[str], role: str) -> None:
    """Raise PlanError naming the first column that the table does not have; ``role`` says what it was to be."""
    for name in names:
        if description.column(name) is None:
            raise PlanError(
                f"{description.name!r} has no column {name!r}, which {role} names",
                hint=near(name, description.names),
            )


def affinity_of(declared: str, *, strict: bool) -> str:
    """The affinity that SQLite gives a column of that declared type."""
    upper = declared.upper()
    if not upper or (strict and upper == "ANY"):
        return "BLOB"
    return next((name for name, words in AFFINITIES if any(word in upper for word in words)), "NUMERIC")


def collation_of(connection: sqlite3.Connection, quoted: str, column: str) -> str:
    """The collation under which SQLite orders and compares a column.

    No pragma tells; but a compound select takes equal values together under its leftmost column's collation.
    """
    probe = " UNION SELECT ".join([f"SELECT {quote(column)} FROM {quoted} WHERE 0", "'a'", "'A'", "'b'", "'b '"])
    left = {value for (value,) in connection.execute(probe)}
    if len(left) == 4:
        return BINARY
    return "RTRIM" if {"a", "A"} <= left else "NOCASE"


def _table(connection: sqlite3.Connection, schema: str, name: str, kind: str, ddl: str | None) -> Table:
    told = connection.execute(
        f"SELECT wr, strict FROM pragma_table_list WHERE schema = {texted(schema)} AND name = ?", (name,)
    ).fetchone()
    without_rowid, strict = bool(told[0]), bool(told[1])
    infos = connection.execute(f"PRAGMA {schema}.table_xinfo({quote(name)})").fetchall()
    uniques, has_primary_index = _uniques(connection, schema, name)
    primary = tuple(info[1] for info in sorted(infos, key=lambda info: info[5]) if info[5])
    rowid = None
    if primary and not has_primary_index and not without_rowid:
        rowid = primary[0]
        uniques = [Unique(primary, (BINARY,)), *uniques]
    columns = tuple(_column(info, rowid, strict=strict) for info in infos if info[6] != 1)  # 1: hidden
    keys = tuple(dict.fromkeys(frozenset(unique.columns) for unique in uniques))
    description = Description(name=name, columns=columns, unique_keys=keys, is_table=kind == "table")
    return Table(
        description=description,
        schema=schema,
        uniques=tuple(uniques),
        strict=strict,
        ddl=ddl or "",
        rowid=rowid,
        number=None if without_rowid or kind != "table" else _number({info[1].lower() for info in infos}),
    )


def _number(names: Collection[str]) -> str | None:
    """A name for the row's own number that is no column's."""
    return next((name for name in ("rowid", "_rowid_", "oid") if name not in names), None)


def _column(info: tuple[int, str, str, int, str | None, int, int], rowid: str | None, *, strict: bool) -> Column:
    _, name, declared, notnull, default, _, hidden = info
    generated = hidden in (2, 3)
    return Column(
        name=name,
        kind=Kind.DYNAMIC,
        native=declared,
        database="sqlite",
        nullable=not notnull and name != rowid,
        fills_itself=default is not None or generated or name == rowid,
        writable=not generated,
        affinity=affinity_of(declared, strict=strict),
    )


def _uniques(connection: sqlite3.Connection, schema: str, name: str) -> tuple[list[Unique], bool]:
    """The unique indexes that are neither partial nor over expressions, and whether one is the primary key's."""
    found, primary = [], False
    indexes = connection.execute(f"PRAGMA {schema}.index_list({quote(name)})").fetchall()
    for _, index, unique, origin, partial in indexes:
        primary = primary or origin == "pk"
        if not unique or partial:
            continue
        infos = connection.execute(f"PRAGMA {schema}.index_xinfo({quote(index)})").fetchall()
        parts = [(column, collation) for _, _, column, _, collation, is_key in infos if is_key]
        if all(column is not None for column, _ in parts):
            found.append(Unique(tuple(part[0] for part in parts), tuple(part[1].upper() for part in parts)))
    return found, primary
