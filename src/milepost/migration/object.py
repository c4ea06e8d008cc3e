"""One kind of record to move: where from, where to, by which key, after which parents, and how it is restructured."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.table import Query, Rows, Sink, Table, key_of
from milepost.migration.validate import Validator

SELF = "self"

Restructure = Callable[..., Any]
Undo = Callable[[Checkpoint], None]


@dataclass(eq=False, kw_only=True)
class Object:
    """An object of a migration. Calling it calls the restructure function, so that it is tested by calling it.

    ``declared`` are the parents as the user wrote them, by this object's columns: an object, "self", or the name of one
    of its ``siblings``, the objects of the same migration. ``columns`` maps target to source columns where there is no
    function. ``max_rejects`` None: the migration's own.
    """

    name: str
    source: Table | Query | Rows
    target: Table | Sink
    function: Restructure | None = None
    declared: Mapping[tuple[str, ...], Object | str] = field(default_factory=dict)
    siblings: Sequence[Object] = ()
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
        """What tells rows apart in the target: the key, or the id where there is no key."""
        return key_of(self.target)

    @property
    def target_id(self) -> str | None:
        """The column that the target makes itself and that children are given."""
        return self.target.id if isinstance(self.target, Table) else None

    @property
    def is_mapped(self) -> bool:
        """Whether the store alone knows which row of the target came of which source row: there is no key."""
        return isinstance(self.target, Table) and self.target.key is None

    @property
    def parents(self) -> dict[tuple[str, ...], Object]:
        """The parent objects by this object's columns. Raises PlanError for a name that no object has."""
        return {columns: self._parent(parent) for columns, parent in self.declared.items()}

    def _parent(self, parent: Object | str) -> Object:
        if isinstance(parent, Object):
            return parent
        names = {each.name: each for each in self.siblings}
        if parent == SELF or parent in names:
            return self if parent == SELF else names[parent]
        near = difflib.get_close_matches(parent, names) or list(names)
        raise PlanError(
            f"{self.name}: parents= names {parent!r}, which is no object of this migration",
            hint=f"Did you mean {' or '.join(near)}?",
        )

    @cached_property
    def validator(self) -> Validator | None:
        """What ``validate=`` stands for. Raises PlanError where that is no model, or pydantic is missing."""
        return None if self.validate is None else Validator(self.name, self.validate)

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


def declared_parents(parents: Mapping[Any, Any] | None, owner: str) -> dict[tuple[str, ...], Object | str]:
    """The user's ``parents=`` with every column as a tuple. Raises PlanError for what is neither object nor name."""
    declared: dict[tuple[str, ...], Object | str] = {}
    for columns, parent in (parents or {}).items():
        if not isinstance(parent, Object | str):
            raise PlanError(
                f"{owner}: parents= names {parent!r}, which is no object of this migration",
                hint="Give the decorated function itself: parents={'customer_id': customer}; its name where it is"
                ' declared further down; "self" for the object\'s own.',
            )
        declared[(columns,) if isinstance(columns, str) else tuple(columns)] = parent
    return declared
