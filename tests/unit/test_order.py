"""Parents come before their children; what closes a circle is set later."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import PlanError
from milepost.migration.object import Object
from milepost.migration.order import Ordered, in_order
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


def without(refused: dict[tuple[str, str], str]):
    """Says why a column cannot be set later, for those that are named."""
    return lambda each, columns: refused.get((each.name, columns[0]))


def is_right(objects: list[Object], ordered: Ordered) -> bool:
    """Whether each object stands behind whatever fills the tables of those parents that are not set later."""
    for place, each in enumerate(ordered.objects):
        for columns, parent in each.parents.items():
            fillers = [one for one in objects if one.target.name == parent.target.name and one is not each]
            if columns not in ordered.later_of(each) and not all(one in ordered.objects[:place] for one in fillers):
                return False
    return sorted(each.name for each in ordered.objects) == sorted(each.name for each in objects)


def test_an_object_that_is_its_own_parent_is_one_by_a_column_that_is_set_later() -> None:
    employee = an_object("employee")
    employee.declared = {("reports_to",): "self"}
    ordered = in_order([employee])
    assert ordered.later == {"employee": {("reports_to",)}}
    assert ordered.due(employee) == [employee]


def test_an_own_parent_whose_column_cannot_be_null_is_refused() -> None:
    employee = an_object("employee")
    employee.declared = {("reports_to",): "self"}
    with pytest.raises(PlanError, match=r"employee is its own parent by reports_to, .* the column may not be NULL"):
        in_order([employee], without({("employee", "reports_to"): "may not be NULL"}))


def test_a_circle_is_opened_at_the_first_column_that_can_be_set_later() -> None:
    customer = an_object("customer")
    invoice = an_object("invoice", customer)
    objects = [customer, invoice]
    customer.siblings, customer.declared = objects, {("best_invoice",): "invoice"}
    ordered = in_order(objects)
    assert ordered.objects == [customer, invoice]
    assert ordered.later == {"customer": {("best_invoice",)}}
    assert (ordered.due(customer), ordered.due(invoice)) == ([], [customer])

    ordered = in_order(objects, without({("customer", "best_invoice"): "may not be NULL"}))
    assert ordered.objects == [invoice, customer]
    assert ordered.later == {"invoice": {("customer_id",)}}


def test_a_circle_of_which_nothing_can_be_set_later_is_refused_and_named() -> None:
    customer = an_object("customer")
    invoice = an_object("invoice", customer)
    customer.declared = {("best_invoice",): invoice}
    refused = {("customer", "best_invoice"): "may not be NULL", ("invoice", "customer_id"): "is part of the key"}
    with pytest.raises(PlanError, match="circle, customer > invoice > customer") as found:
        in_order([customer, invoice], without(refused))
    assert "customer.best_invoice may not be NULL; invoice.customer_id is part of the key" in found.value.message


def test_a_child_waits_for_every_object_that_fills_its_parents_table() -> None:
    one, other = an_object("customer"), an_object("customer of the other system")
    other.target = Table("customer", key="id")
    invoice = an_object("invoice", one)
    assert in_order([invoice, one, other]).objects == [one, other, invoice]


@given(st.integers(1, 7), st.randoms(use_true_random=False))
def test_whatever_circles_there_are_the_order_is_right_or_they_are_refused(size: int, dice: random.Random) -> None:
    objects = [an_object(f"o{number}") for number in range(size)]
    for each in objects:
        if dice.random() < 0.2:
            each.target = Table("shared", key="id")
        chosen = dice.sample(objects, dice.randint(0, min(3, size)))
        each.declared = {(f"{parent.name}_{n}",): parent for n, parent in enumerate(chosen)}
    fixed = {(each.name, columns[0]) for each in objects for columns in each.declared if dice.random() < 0.3}
    try:
        ordered = in_order(objects, without(dict.fromkeys(fixed, "may not be NULL")))
    except PlanError:
        assert fixed
        return
    assert is_right(objects, ordered)
    assert not fixed & {(name, columns[0]) for name, later in ordered.later.items() for columns in later}
    linked = [one for each in ordered.objects for one in ordered.due(each)]
    assert sorted(one.name for one in linked) == sorted(ordered.later)
