"""Parents come before their children; a cycle is named."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import PlanError
from milepost.migration.object import Object
from milepost.migration.order import in_order
from milepost.migration.table import Table


def an_object(name: str, *parents: Object) -> Object:
    place = Table(name, key="id")
    declared = {(f"{parent.name}_id",): parent for parent in parents}
    return Object(name=name, source=place, target=place, declared=declared)


def test_a_child_declared_before_its_parent_is_moved_after_it() -> None:
    customer = an_object("customer")
    invoice = an_object("invoice", customer)
    line = an_object("line", invoice)
    assert in_order([line, invoice, customer]).objects == [customer, invoice, line]


def test_objects_without_relation_keep_the_order_of_declaration() -> None:
    objects = [an_object(name) for name in ("c", "a", "b")]
    assert in_order(objects).objects == objects


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_every_parent_stands_before_its_children(size: int, dice: random.Random) -> None:
    objects: list[Object] = []
    for number in range(size):
        objects.append(an_object(f"o{number}", *dice.sample(objects, dice.randint(0, len(objects)))))
    dice.shuffle(objects)
    ordered = in_order(objects).objects
    assert sorted(each.name for each in ordered) == sorted(each.name for each in objects)
    for place, each in enumerate(ordered):
        assert all(parent in ordered[:place] for parent in each.parents.values())


def test_a_parent_of_another_migration_is_refused() -> None:
    with pytest.raises(PlanError, match="invoice has the parent customer, which is an object of another migration"):
        in_order([an_object("invoice", an_object("customer"))])
