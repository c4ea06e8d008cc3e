"""The Target contract: a batch of rows is loaded inside a transaction that its caller began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from milepost.migration.description import Description
from milepost.migration.source import Key, Row


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How an object's batches are loaded.

    ``columns`` are the target columns that a row fills, in order; ``key`` is among them. ``fresh``: the table was
    empty when this object began, so that whatever holds a key there came from this object, and a row with the same key
    is a duplicate, never an update. ``last_wins``: of rows with one key the later one is taken (on_duplicate="last"),
    otherwise the later one is refused.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    fresh: bool
    last_wins: bool = False

    @property
    def staged(self) -> bool:
        """Whether rows must meet rows that are there: what a temporary table is for."""
        return not self.fresh or self.last_wins


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One row that was not loaded: its index in the batch, the stage ("parent", "duplicate", "load"), the reason."""

    index: int
    stage: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of a batch: loaded + unchanged + len(refused) = its rows.

    ``loaded`` counts rows inserted or really changed (and rows replaced by a later one in the same batch, where
    ``last_wins``); ``unchanged`` those that stood there already with the same values.
    """

    loaded: int
    unchanged: int
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row that is there and differs: for each column that does, the target's value and the one it should have.

    Both as they would be read from the target, made readable (JSON).
    """

    index: int
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What became of a comparison: equal + len(missing) + len(differing) + len(refused) = the rows given.

    ``missing`` are the indexes of rows that the table does not hold; ``refused`` those that it could not hold.
    """

    equal: int
    missing: tuple[int, ...] = ()
    differing: tuple[Difference, ...] = ()
    refused: tuple[Refused, ...] = ()


class Comparing(Protocol):
    """One object's rows compared with its table, on a connection of its own that writes temporary tables only."""

    def compare(self, rows: Sequence[Row]) -> Compared:
        """Compare the rows, by key, in the target's own SQL, so that types meet as the target sees them."""
        ...

    def find(self, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]) -> list[Row | None]:
        """See :meth:`Target.find`."""
        ...

    def count(self) -> int:
        """How many rows the table holds."""
        ...

    def expect(self, keys: Sequence[Key]) -> None:
        """Remember that rows with these target keys should be there, for ``extra``. Memory does not grow with them."""
        ...

    def extra(self, most: int) -> tuple[int, list[Key]]:
        """How many rows of the table have a key that was never expected, and the first ``most`` of their keys."""
        ...

    def close(self) -> None:
        """Let go of the connection; nothing of what was compared stays."""
        ...


class Target(Protocol):
    """Where one object's rows go: a table."""

    def describe(self) -> Description:
        """The table. Raises PlanError naming it if it is not there. Read-only."""
        ...

    def is_empty(self, connection: Any) -> bool:
        """Whether the table holds no row, as seen inside the caller's transaction."""
        ...

    def load(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        """Load the rows inside the transaction that is open on ``connection``; commit nothing.

        A row that the database refuses (its type, a constraint, a missing parent, a duplicate key) is found without
        giving up the others and comes back in ``refused``; each index at most once. A value that the column cannot
        hold exactly is refused too, never rounded. Faults that are no row's (a lost connection, a full
        disk) are raised.
        Only rows that really differ are updated.
        """
        ...

    def find(
        self, connection: Any, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]
    ) -> list[Row | None]:
        """For each key the ``wanted`` columns of the row of ``table`` that has it; None where no row has.

        ``table`` may be any of the target's database. A key that its columns could not hold is nobody's. One query
        for all keys (which hold no None); comparisons are the database's own, as a foreign key's are.
        """
        ...

    def referring(self, connection: Any, columns: tuple[str, ...], keys: Sequence[Key]) -> list[tuple[Key, Key]]:
        """The rows of this table that hold one of ``keys`` in ``columns``: the key referred to, and the row's own."""
        ...

    def draw_ids(self, connection: Any, column: str, count: int) -> list[Any]:
        """New values for ``column``, which the table makes itself, from where it makes them; none is given twice.

        Raises PlanError where the table does not make them.
        """
        ...

    def update(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        """Set the columns besides the key of rows that are there, where they differ, by one statement.

        Like ``load``, but no row is inserted: one that is not there is refused (stage "load").
        """
        ...

    def delete(self, connection: Any, keys: Sequence[Key]) -> Loaded:
        """Delete the rows with these keys. ``loaded`` counts those deleted, ``unchanged`` those that were not there.

        One that other rows still refer to is refused, without giving up the others.
        """
        ...

    def comparing(self, columns: tuple[str, ...], key: tuple[str, ...]) -> Comparing:
        """Open what is needed to compare rows of these columns with the table. The caller closes it."""
        ...

    def close(self) -> None:
        """Let go of what the target itself opened (never the caller's connection)."""
        ...
