"""Each warning, where there is reason for it and where there is none. Databases provoke them in acceptance tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from milepost.errors import PlanError
from milepost.migration.description import Column, Description, Kind, Trigger
from milepost.migration.object import Object
from milepost.migration.table import Table
from milepost.migration.warn import Shape, check_filled, warnings_of

SOURCE = Table("customers", key="no")
TARGET = Table("customer", key="no")
NO = Column(name="no", kind=Kind.INTEGER, native="integer", database="postgresql", nullable=False, bits=32)
BEFORE = Trigger(name="stamp", events=frozenset({"insert"}), before=True)


def an_object(target: Table = TARGET, **settings: Any) -> Object:
    return Object(name="customer", source=SOURCE, target=target, **settings)


def column(name: str, kind: Kind = Kind.TEXT, native: str = "text", **settings: Any) -> Column:
    return Column(name=name, kind=kind, native=native, database="postgresql", **settings)


def described(*columns: Column, **settings: Any) -> Description:
    keys = (frozenset({"no"}), *settings.pop("also_unique", ()))
    return Description(name=settings.pop("name", "customer"), columns=(NO, *columns), unique_keys=keys, **settings)


def source_of(*columns: Column, **settings: Any) -> Description:
    return described(*columns, name="customers", **settings)


def copied(*names: str) -> Shape:
    return Shape(columns=("no", *names), copied={name: name for name in ("no", *names)}, exact=True)


def made(*names: str, rows: Any = (), **settings: Any) -> Shape:
    return Shape(columns=("no", *names), rows=rows, **settings)


def warned(
    target: Description, shape: Shape, source: Description | None = None, each: Object | None = None
) -> list[str]:
    return list(warnings_of(each or an_object(), source or source_of(), target, shape))


def test_a_plain_table_gives_no_warning() -> None:
    assert warned(described(column("name")), copied("name"), source_of(column("name"))) == []


def test_a_target_that_takes_anything_gives_none() -> None:
    anything = Description(name="send", columns=(), takes_any=True)
    assert warned(anything, made("name", rows=[(1, "x")])) == []


def test_a_trigger_on_update_is_told() -> None:
    touch = Trigger(name="touch", events=frozenset({"insert", "update"}))
    (said,) = warned(described(triggers=(touch, BEFORE)), made())
    assert said.startswith("touch of customer is a trigger on update: where rows meet rows that are there")
    assert said.endswith("it fires for each that really differs")


def test_a_trigger_on_update_fires_for_every_row_that_is_linked_later() -> None:
    touch = Trigger(name="touch", events=frozenset({"update"}))
    (said,) = warned(described(column("boss"), triggers=(touch,)), made(later=("boss",)))
    assert said.endswith("and for each row when boss is set in the second pass")


def test_a_second_unique_key_is_told() -> None:
    target = described(column("email"), also_unique=[frozenset({"email"})])
    assert warned(target, made("email")) == [
        "customer is unique by (email) too, not only by its key (no): of two rows with the same the second is rejected"
    ]


def test_whether_rows_of_one_object_could_collide_is_told_where_it_is_a_plain_copy() -> None:
    target = described(column("email"), also_unique=[frozenset({"email"})])
    (said,) = warned(target, copied("email"), source_of(column("email")))
    assert said.endswith("; the source does not hold it unique")
    (said,) = warned(target, copied("email"), source_of(column("email"), also_unique=[frozenset({"email"})]))
    assert said.endswith("; the source holds it unique, so that only rows which are there already can be in the way")


def test_a_unique_key_that_holds_the_key_or_is_not_filled_or_is_the_id_cannot_collide() -> None:
    keys = [frozenset({"no", "email"}), frozenset({"serial"}), frozenset({"id"})]
    target = described(column("email"), column("serial"), column("id"), also_unique=keys)
    each = an_object(Table("customer", key="no", id="id"))
    assert warned(target, made("email"), each=each) == []


def test_where_the_columns_are_not_known_every_second_key_is_told() -> None:
    target = described(column("email"), also_unique=[frozenset({"email"})])
    assert len(warned(target, Shape())) == 1


def test_an_object_without_a_key_is_told_of_one_that_there_is() -> None:
    target = Description(
        name="customer", columns=(column("id"), column("email")), unique_keys=(frozenset({"id"}), frozenset({"email"}))
    )
    each = an_object(Table("customer", id="id"))
    (said,) = warnings_of(each, source_of(), target, Shape(columns=("email",)))
    assert said.endswith(
        "of two rows with the same the second is rejected. Where it tells rows apart, name it: key=(email)"
    )


def test_what_may_not_be_null_and_nothing_fills_is_refused() -> None:
    target = described(column("name", nullable=False), column("since", nullable=False, fills_itself=True), column("x"))
    with pytest.raises(PlanError, match=r"nothing fills customer\.name, which may not be NULL") as refused:
        check_filled(an_object(function=lambda row: row), target, ("no",))
    assert "Return it from the function" in (refused.value.hint or "")
    check_filled(an_object(), target, ("no", "name"))


def test_a_column_that_a_trigger_may_fill_is_a_warning() -> None:
    target = described(column("name", nullable=False), triggers=(BEFORE,))
    check_filled(an_object(), target, ("no",))
    (said,) = warned(target, made())
    assert said.startswith("nothing fills customer.name, which may not be NULL, unless stamp does")
    after = described(column("name", nullable=False), triggers=(Trigger(name="late", events=frozenset({"insert"})),))
    with pytest.raises(PlanError):
        check_filled(an_object(), after, ("no",))


def test_the_id_of_an_object_needs_no_filling() -> None:
    target = described(column("id", nullable=False))
    check_filled(an_object(Table("customer", key="no", id="id")), target, ("no",))


def test_a_value_that_does_not_fit_is_told_once_for_each_column() -> None:
    target = described(column("name", native="varchar(3)", length=3), column("age", Kind.INTEGER, "smallint", bits=16))
    rows = [(1, "Ann", 1), (2, "Barbara", 40_000), (3, "Charles", 50_000)]
    assert warned(target, made("name", "age", rows=rows)) == [
        "customer.name (varchar(3)) is given 'Barbara': it has 7 characters, and 3 fit; such rows are rejected",
        "customer.age (smallint) is given 40000: it is beyond 16 bits; such rows are rejected",
    ]


LIMITED = [
    (column("c", length=20), column("c", length=10, native="varchar(10)")),
    (column("c"), column("c", length=10)),
    (column("c", Kind.DECIMAL, precision=9, scale=3), column("c", Kind.DECIMAL, precision=9, scale=2)),
    (column("c", Kind.DECIMAL, precision=9, scale=2), column("c", Kind.DECIMAL, precision=8, scale=2)),
    (column("c", Kind.DECIMAL), column("c", Kind.DECIMAL, precision=8, scale=2)),
    (column("c", Kind.INTEGER, bits=64), column("c", Kind.INTEGER, bits=32)),
]


@pytest.mark.parametrize(("one", "other"), LIMITED)
def test_a_narrower_column_of_the_same_name_is_told(one: Column, other: Column) -> None:
    (said,) = warned(described(other), copied("c"), source_of(one))
    assert said.startswith("values may be too long for c (")
    assert said.endswith("rejected, never cut")
    (said,) = warned(described(other), made("c", copied={"c": "c"}), source_of(one))
    assert said.endswith("unless the function sees to it")
    assert warned(described(one), copied("c"), source_of(one)) == []


def test_what_sqlite_does_not_limit_is_told_of_a_plain_copy() -> None:
    one = column("c", Kind.DYNAMIC, "VARCHAR(5)")
    other = column("c", native="varchar(5)", length=5)
    (said,) = warned(described(other), copied("c"), source_of(one))
    assert "c (varchar(5)) from customers.c (VARCHAR(5))" in said
    assert warned(described(other), made("c", copied={"c": "c"}), source_of(one)) == []


def test_a_long_value_is_shortened() -> None:
    target = described(column("name", length=3), column("x", Kind.DECIMAL, precision=3, scale=1))
    said = warned(target, made("name", "x", rows=[(1, "y" * 100, Decimal("1.25"))]))
    assert len(said[0]) < 140
    assert "Decimal('1.25')" in said[1]


def test_an_index_over_some_rows_or_an_expression_is_told_by_its_name() -> None:
    [told] = warned(described(column("name"), more_uniques=("one_open", "lowered")), copied("name"))
    assert told.startswith("customer is unique by one_open, lowered too")
    assert "the second is rejected" in told
