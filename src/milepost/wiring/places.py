"""Which database each object's rows come from and go to, and whether the store is there too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milepost.databases.url import expand, hide_password, same_database, scheme
from milepost.errors import PlanError
from milepost.migration.object import Object
from milepost.migration.table import Rows, Sink
from milepost.wiring.ends import place_of


@dataclass(frozen=True, kw_only=True)
class Places:
    """The URLs of one attempt at a migration: its source and target, where it has them, and its store."""

    source: str | None
    target: str | None
    store: str

    def target_of(self, each: Object) -> str | None:
        """The URL of the database that its rows go to; None for a Sink, and where none is given."""
        url = each.target.database or self.target
        return None if url is None or isinstance(each.target, Sink) else expand(url)

    def is_outside(self, each: Object) -> bool:
        """Whether rows and checkpoint of the object are in two databases, and cannot commit together."""
        url = self.target_of(each)
        return url is not None and not same_database(url, self.store)

    def read_from(self, each: Object) -> str | None:
        """Which database the object's rows come from; None where the user's own function reads them."""
        return None if isinstance(each.source, Rows) else place_of(each.source.database or self.source)

    def check(self, name: str, objects: Sequence[Object]) -> None:
        """Raise PlanError where the store could not say what it must, or a parent could not be looked up."""
        if scheme(self.store) == "memory":
            raise PlanError(
                f"{name}: a store in memory cannot say, after a crash, what is in the target",
                hint="Leave store= out; the store is then kept in the target's own database.",
            )
        for each in objects:
            for parent in each.parents.values():
                self._check_parent(each, parent)

    def _check_parent(self, each: Object, parent: Object) -> None:
        """Parents are looked up in the database that the rows go to."""
        here, there = self.target_of(each), self.target_of(parent)
        if here is not None and there is not None and not same_database(here, there):
            raise PlanError(
                f"{each.name} goes to {hide_password(here)}, and its parent {parent.name} to"
                f" {hide_password(there)}: nobody there could say whether a row's parent is there",
                hint="Move both into one database, or leave this parent out.",
            )
