"""The Source contract: rows by key, in the source's own order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from milepost.jobs.state import JSON
from milepost.migration.description import Description

Key = tuple[Any, ...]
"""The values of the key columns, in their order; one value for a single key."""
Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What a range of the source holds: how many rows, and the highest value of its ``modified`` column, encoded.

    None where it cannot be known, where there is no such column, and where no row has a value in it.
    """

    rows: int | None
    modified: JSON = None


class Source(Protocol):
    """Where one object's rows come from. Strictly read-only.

    Values are as :class:`~milepost.migration.description.Kind` says. ``columns`` names what a row holds, in order; the
    key's columns are always among them.
    """

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def key(self) -> tuple[str, ...]: ...

    def describe(self) -> Description:
        """The columns that will be read.

        Raises PlanError naming the table, or the column of key, columns or modified, that is not there.
        """
        ...

    def check_key(self) -> None:
        """Raise PlanError, naming a key, if some row's key holds NULL or is held by another row too.

        Costs nothing where the database itself guarantees it.
        """
        ...

    def highest(self) -> Key | None:
        """The key of the last row in the source's order, or None where there is no row."""
        ...

    def count(self, upto: Key | None) -> int | None:
        """The number of rows up to and with that key (None: no bound); None where it cannot be known."""
        ...

    def read(self, after: Key | None, upto: Key | None, chunk: int) -> Iterator[list[Row]]:
        """The rows of ``(after, upto]`` in key order, by one streaming query, in lists of 1 to ``chunk`` rows.

        The lists are shorter where rows are large or slow to come, so that memory and waiting stay bounded.
        """
        ...

    def extent(self, after: Key | None, upto: Key | None) -> Extent:
        """What ``(after, upto]`` holds now, by one query that reads no more than it must."""
        ...

    def find(self, keys: Sequence[Key]) -> list[Row]:
        """The rows with these keys, those that there are, in key order; limited as in ``read``."""
        ...

    def close(self) -> None:
        """Let go of the connection. Safe to call twice, and in the middle of a read."""
        ...
