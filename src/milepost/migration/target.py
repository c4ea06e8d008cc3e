"""The Target contract: a batch of rows is loaded inside a transaction that its caller began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from milepost.migration.description import Description
from milepost.migration.source import Row


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A parent to be there for each row: the child's ``columns`` hold the parent's ``key`` columns' values.

    ``object`` is the parent object's name, for messages. A row with NULL in one of ``columns`` has no parent to find.
    """

    object: str
    columns: tuple[str, ...]
    table: str
    key: tuple[str, ...]


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
    parents: tuple[Parent, ...] = ()

    @property
    def staged(self) -> bool:
        """Whether rows must meet rows that are there, or their parents: what a temporary table is for.

        A target may do without one where it can: PostgreSQL looks up the parents of a fresh table's rows by the keys
        that a batch names, and then loads directly, unless the object is its own parent.
        """
        return not self.fresh or self.last_wins or bool(self.parents)


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

    def close(self) -> None:
        """Let go of what the target itself opened (never the caller's connection)."""
        ...
