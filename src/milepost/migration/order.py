"""Objects in the order in which they are moved: parents before children, otherwise as declared. Pure.

Where parents lead in a circle, one of its edges is left out of the rows and set once all rows are in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from milepost.errors import PlanError
from milepost.migration.object import Object
from milepost.migration.resolve import Edge, edges_of
from milepost.migration.table import Sink

WhyNot = Callable[[Object, tuple[str, ...]], str | None]
"""Why these columns of the object cannot be left out of a row and set later; None where they can."""


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """``objects`` in order. ``later`` are, by the name of an object, the parent columns that are set later."""

    objects: list[Object]
    later: Mapping[str, frozenset[tuple[str, ...]]] = field(default_factory=dict)

    def later_of(self, each: Object) -> frozenset[tuple[str, ...]]:
        return self.later.get(each.name, frozenset())

    def due(self, each: Object) -> list[Object]:
        """The objects whose later columns can be set once ``each`` is complete, and not before it."""
        return [one for one in self.objects if self.later_of(one) and self._last_awaited(one) is each]

    def awaited(self, each: Object) -> list[Object]:
        """The objects that must be complete before the later columns of ``each`` are set: itself among them."""
        later = self.later_of(each)
        parents = [edge.parent for edge in edges_of(each) if edge.columns in later]
        return [one for one in self.objects if one is each or any(fill_one_table(one, parent) for parent in parents)]

    def _last_awaited(self, each: Object) -> Object:
        return self.awaited(each)[-1]


def in_order(objects: Sequence[Object], why_not: WhyNot = lambda _each, _columns: None) -> Ordered:
    """The objects with every parent before its children; a parent is there once all that fill its table are complete.

    Raises PlanError for a foreign parent, and where an object is its own parent, or a circle of parents is closed, by
    columns that cannot be set later.
    """
    edges = [(each, edge) for each in objects for edge in edges_of(each)]
    for each, edge in edges:
        if edge.parent not in objects:
            raise PlanError(f"{each.name} has the parent {edge.parent.name}, which is an object of another migration")
    later = [(each, edge) for each, edge in edges if edge.parent is each]
    for each, edge in later:
        if reason := why_not(each, edge.columns):
            raise _own_parent(each, edge, reason)
    now = [pair for pair in edges if pair not in later]
    while circle := _circle(objects, now):
        left_out = _first_that_can_wait(circle, now, objects, why_not)
        later.append(left_out)
        now.remove(left_out)
    ordered: list[Object] = []
    for each in objects:
        _place(each, objects, now, ordered)
    names = dict.fromkeys(each.name for each, _ in later)
    return Ordered(
        objects=ordered,
        later={name: frozenset(edge.columns for each, edge in later if each.name == name) for name in names},
    )


def fill_one_table(one: Object, other: Object) -> bool:
    """Whether rows of both go into the same table."""
    if isinstance(one.target, Sink) or isinstance(other.target, Sink):
        return one is other
    return (one.target.name, one.target.database) == (other.target.name, other.target.database)


def _awaits(each: Object, edge: Edge, objects: Sequence[Object]) -> list[Object]:
    """The objects that must be complete for this edge to be resolved."""
    return [one for one in objects if one is not each and fill_one_table(one, edge.parent)]


def _circle(objects: Sequence[Object], edges: Sequence[tuple[Object, Edge]]) -> list[Object]:
    """The objects of one circle, each followed by one that it waits for; empty where there is none."""
    done: list[Object] = []

    def visit(each: Object, trail: list[Object]) -> list[Object]:
        if each in trail:
            return trail[trail.index(each) :]
        if each in done:
            return []
        for child, edge in edges:
            for parent in _awaits(each, edge, objects) if child is each else ():
                if found := visit(parent, [*trail, each]):
                    return found
        done.append(each)
        return []

    return next((found for each in objects if (found := visit(each, []))), [])


def _first_that_can_wait(
    circle: list[Object], edges: Sequence[tuple[Object, Edge]], objects: Sequence[Object], why_not: WhyNot
) -> tuple[Object, Edge]:
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    reasons = []
    for each, edge in edges:
        if each in following and following[each] in _awaits(each, edge, objects):
            reason = why_not(each, edge.columns)
            if reason is None:
                return each, edge
            reasons.append(f"{each.name}.{edge.name} {reason}")
    names = " > ".join(each.name for each in [*circle, circle[0]])
    raise PlanError(
        f"the parents form a circle, {names}, and none of its columns can be set later: {'; '.join(reasons)}",
        hint="Let one of these columns be NULL in the target, or leave one of these parents out.",
    )


def _place(
    each: Object, objects: Sequence[Object], edges: Sequence[tuple[Object, Edge]], ordered: list[Object]
) -> None:
    if each in ordered:
        return
    for child, edge in edges:
        for parent in _awaits(each, edge, objects) if child is each else ():
            _place(parent, objects, edges, ordered)
    ordered.append(each)


def _own_parent(each: Object, edge: Edge, reason: str) -> PlanError:
    return PlanError(
        f"{each.name} is its own parent by {edge.name}, which is set once all rows are in; but the column {reason}",
        hint="Let the column be NULL in the target, or leave this parent out.",
    )
