"""One kind of record to move: where from, where to, by which key, after which parents, and how it is restructured."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.table import Query, Rows, Sink, Table, key_of

Restructure = Callable[..., Any]
Undo = Callable[[Checkpoint], None]


@dataclass(eq=False, kw_only=True)
class Object:
    """An object of a migration. Calling it calls the restructure function, so that it is tested by calling it.

    ``parents`` maps this object's columns (a name, or a tuple of names) to the parent object. ``columns`` maps target
    to source columns where there is no function. ``max_rejects`` None: the migration's own.
    """

    name: str
    source: Table | Query | Rows
    target: Table | Sink
    function: Restructure | None = None
    parents: Mapping[tuple[str, ...], Object] = field(default_factory=dict)
    columns: Mapping[str, str] | None = None
    takes: str = "row"
    validate: Any = None
    on_duplicate: str = "reject"
    max_rejects: int | str | None = None
    undo: Undo | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self.function is None:
            raise TypeError(f"{self.name} is a plain copy and has no restructure function to call")
        return self.function(*arguments)

    def rollback(self, undo: Undo) -> Undo:
        """Decorate the function that undoes what a half-done attempt left, before the object starts again from zero."""
        self.undo = undo
        return undo

    @property
    def source_key(self) -> tuple[str, ...]:
        return key_of(self.source)

    @property
    def target_key(self) -> tuple[str, ...]:
        return key_of(self.target)

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the function takes the object's checkpoint: as a second parameter that has no default."""
        if self.function is None:
            return False
        needed = [
            each
            for each in inspect.signature(self.function).parameters.values()
            if each.default is each.empty and each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        ]
        return len(needed) > 1


def declared_parents(parents: Mapping[Any, Any] | None, owner: str) -> dict[tuple[str, ...], Object]:
    """The user's ``parents=`` with every column as a tuple. Raises PlanError for what is no object."""
    declared: dict[tuple[str, ...], Object] = {}
    for columns, parent in (parents or {}).items():
        if parent == "self":
            raise PlanError(
                f"{owner}: an object that is its own parent is not supported yet",
                hint="Leave the column out of parents= until a later version loads it in a second pass.",
            )
        if not isinstance(parent, Object):
            raise PlanError(
                f"{owner}: parents= names {parent!r}, which is no object of this migration",
                hint="Give the decorated function itself: parents={'customer_id': customer}.",
            )
        declared[(columns,) if isinstance(columns, str) else tuple(columns)] = parent
    return declared
