"""What a table or query looks like, in words that no vendor owns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of value that every connector knows. What a value of each looks like in Python stands beside it."""

    INTEGER = "integer"  # int; bits
    DECIMAL = "decimal"  # decimal.Decimal; precision and scale, None: unconstrained
    FLOAT = "float"  # float; bits
    TEXT = "text"  # str; length
    BYTES = "bytes"  # bytes
    BOOLEAN = "boolean"  # bool
    DATE = "date"  # datetime.date; text as the database writes it where Python has no such date
    TIME = "time"  # datetime.time
    TIMESTAMP = "timestamp"  # datetime without zone; text as for DATE
    TIMESTAMP_ZONE = "timestamp with time zone"  # datetime with zone; text as for DATE
    INTERVAL = "interval"  # str, as the database writes it
    UUID = "uuid"  # uuid.UUID
    JSON = "json"  # str: the document as it stands, so that no number is rounded
    ARRAY = "array"  # list, nested for more dimensions; ``of`` is the element's kind
    DYNAMIC = "dynamic"  # a SQLite column: each value has its own type; ``affinity`` tells what it tends to
    OTHER = "other"  # str, as the database writes it


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. ``native`` is the type as its database writes it; ``database`` is "sqlite" or "postgresql".

    ``bits`` is for integers (16, 32, 64) and floats (32, 64); ``precision`` counts a decimal's digits, or a time's
    fractional digits; ``length`` counts characters. ``affinity`` is SQLite's: "INTEGER", "TEXT", "BLOB", "REAL",
    "NUMERIC". ``fills_itself``: it has a default, is generated or an identity. ``writable`` is False for a
    generated column.
    """

    name: str
    kind: Kind
    native: str
    database: str
    nullable: bool = True
    fills_itself: bool = False
    writable: bool = True
    bits: int | None = None
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    affinity: str | None = None
    of: Kind | None = None


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger (or rule) of a table.

    ``events`` are some of "insert", "update", "delete"; ``before``: it may change the row, or keep it out.
    """

    name: str
    events: frozenset[str]
    before: bool = False


@dataclass(frozen=True, kw_only=True)
class Description:
    """A table, view or query: its columns in order, and the column sets that it holds unique.

    ``triggers`` are those of a target, but for those that foreign keys are made of, and those that are disabled.
    ``unique_keys`` lists the sets that a plain unique index, unique constraint or primary key covers (no partial or
    expression index). ``more_uniques`` names what else of a target may refuse a row for what another one holds:
    partial and expression indexes, exclusion constraints, keys that are checked late. ``is_table`` is False for a query
    or a view. ``takes_any``: it has no columns of its own, and takes whatever a row holds.
    """

    name: str
    columns: tuple[Column, ...]
    unique_keys: tuple[frozenset[str], ...] = ()
    is_table: bool = True
    takes_any: bool = False
    triggers: tuple[Trigger, ...] = ()
    more_uniques: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)
