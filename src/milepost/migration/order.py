"""Objects in the order in which they are moved: parents before children, otherwise as declared. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from milepost.errors import PlanError
from milepost.migration.object import Object


def in_order(objects: Sequence[Object]) -> list[Object]:
    """The objects with every parent before its children. Raises PlanError that names a cycle, or a foreign parent."""
    ordered: list[Object] = []
    for each in objects:
        _visit(each, objects, ordered, [])
    return ordered


def _visit(each: Object, objects: Sequence[Object], ordered: list[Object], trail: list[Object]) -> None:
    if each in ordered:
        return
    if each in trail:
        circle = " > ".join(one.name for one in [*trail[trail.index(each) :], each])
        raise PlanError(f"the parents form a cycle: {circle}", hint="Leave one of these parents out.")
    if each not in objects:
        raise PlanError(f"{trail[-1].name} has the parent {each.name}, which is an object of another migration")
    for parent in each.parents.values():
        _visit(parent, objects, ordered, [*trail, each])
    ordered.append(each)
