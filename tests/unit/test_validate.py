"""Rows checked by the user's model: typed values go to the function, an invalid row is one reject with every error."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, field_validator, model_validator
from typing_extensions import TypedDict

from milepost.errors import LeaseLost, PlanError, Reject
from milepost.migration.definition import definition, difference
from milepost.migration.object import Object
from milepost.migration.restructure import rename, restructure
from milepost.migration.table import Table

PLACE = Table("t", key="no")
NAMES = ("no", "email", "age")


class Person(BaseModel):
    no: int
    email: str
    age: int = Field(ge=0)

    @field_validator("email")
    @classmethod
    def has_at(cls, text: str) -> str:
        if "@" not in text:
            raise ValueError("has no @")
        return text.lower()


class PersonDict(TypedDict):
    no: int
    email: str
    age: Annotated[int, Field(ge=0)]


def an_object(model: Any, **settings: Any) -> Object:
    return Object(name="person", source=PLACE, target=PLACE, validate=model, **settings)


def run(model: Any, rows: list[tuple[Any, ...]], names: tuple[str, ...] = NAMES) -> tuple[list[dict[str, Any]], Any]:
    """What the function was given, and the batch."""
    seen: list[dict[str, Any]] = []

    def function(row: dict[str, Any]) -> dict[str, Any]:
        seen.append(dict(row))
        return {"no": row["no"]}

    return seen, restructure(an_object(model, function=function), function, names, rows, ())


@pytest.mark.parametrize("model", [Person, PersonDict])
def test_typed_values_go_to_the_function(model: Any) -> None:
    seen, batch = run(model, [("1", "a@x", "30")])
    assert seen == [{"no": 1, "email": "a@x", "age": 30}]
    assert (batch.rows, batch.rejects) == ([(1,)], [])


def test_all_errors_of_a_row_are_in_one_reject() -> None:
    seen, batch = run(Person, [(1, "A@x", 3), ("x", "none", -1), (3, "c@x", 4)])
    assert [row["no"] for row in seen] == [1, 3]
    assert list(batch.origins) == [0, 2]
    (reject,) = batch.rejects
    assert (reject.index, reject.stage) == (1, "validate")
    assert reject.reason == (
        "no: Input should be a valid integer, unable to parse string as an integer; email: has no @;"
        " age: Input should be greater than or equal to 0"
    )


def test_what_the_model_makes_of_a_good_row_does_not_depend_on_bad_ones_beside_it() -> None:
    alone, _ = run(Person, [("1", "ANN@X", "30")])
    beside, _ = run(Person, [("1", "ANN@X", "30"), (2, "none", 1)])
    assert alone == beside == [{"no": 1, "email": "ann@x", "age": 30}]


def test_columns_that_the_model_does_not_name_stay() -> None:
    class Short(BaseModel):
        age: int

    seen, _ = run(Short, [("1", "a", "7")])
    assert seen == [{"no": "1", "email": "a", "age": 7}]


def test_an_alias_names_the_column_and_the_field_is_given_beside_it() -> None:
    class Renamed(BaseModel):
        number: int = Field(alias="no")

    seen, batch = run(Renamed, [("5", None, None), ("y", None, None)])
    assert seen == [{"no": "5", "email": None, "age": None, "number": 5}]
    assert batch.rejects[0].reason.startswith("no: ")  # as the column is called


def test_nested_models_say_where_they_are_wrong() -> None:
    class Address(BaseModel):
        city: str
        zip: int

    class WithAddress(BaseModel):
        email: Json[list[Address]]

    seen, batch = run(WithAddress, [(1, '[{"city": "Rome", "zip": "9"}]', None), (2, '[{"zip": "x"}]', None)])
    assert seen[0]["email"] == [Address(city="Rome", zip=9)]
    assert batch.rejects[0].reason.startswith("email.0.city: Field required; email.0.zip: Input should be")


def test_a_model_may_be_strict() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        age: int

    seen, batch = run(Strict, [(1, "a", 5), (2, "b", "5")])
    assert [row["no"] for row in seen] == [1]
    assert batch.rejects[0].reason == "age: Input should be a valid integer"


def test_a_rule_of_the_whole_row_is_told_without_a_place() -> None:
    class Whole(BaseModel):
        no: int
        age: int

        @model_validator(mode="after")
        def older_than_its_number(self) -> Whole:
            if self.age < self.no:
                raise ValueError("too\nyoung")
            return self

    _, batch = run(Whole, [(9, "a", 5)])
    assert batch.rejects[0].reason == "too young"


def test_a_model_that_changes_what_it_is_handed_changes_no_row() -> None:
    class Greedy(BaseModel):
        age: int

        @model_validator(mode="before")
        @classmethod
        def take(cls, data: dict[str, Any]) -> dict[str, Any]:
            data.pop("email")
            return data

    for rows in ([(1, "a", 5)], [(1, "a", 5), (2, "b", "x")]):
        seen, _ = run(Greedy, rows)
        assert seen == [{"no": 1, "email": "a", "age": 5}]


def test_whatever_the_models_own_code_raises_is_the_rows() -> None:
    def odd(value: int) -> int:
        if value == 3:
            raise Reject("threes stay")
        return 10 // value

    class Odd(BaseModel):
        age: Annotated[int, AfterValidator(odd)]

    seen, batch = run(Odd, [(1, "a", 2), (2, "b", 0), (3, "c", 3)])
    assert [row["age"] for row in seen] == [5]
    assert [reject.reason.partition(" (")[0] for reject in batch.rejects] == [
        "ZeroDivisionError: integer division or modulo by zero",
        "threes stay",
    ]
    assert {reject.stage for reject in batch.rejects} == {"validate"}


def test_an_error_of_the_run_is_no_rows_fault() -> None:
    def lose(value: int) -> int:
        raise LeaseLost("lost")

    class Losing(BaseModel):
        age: Annotated[int, AfterValidator(lose)]

    with pytest.raises(LeaseLost):
        run(Losing, [(1, "a", 2)])


def test_a_dataclass_is_a_model_too() -> None:
    @dataclasses.dataclass
    class Plain:
        no: int

    seen, _ = run(Plain, [("4", None, None)])
    assert seen[0]["no"] == 4


def test_an_optional_field_of_a_typed_dict_may_be_missing() -> None:
    class Partial(TypedDict, total=False):
        age: int
        height: int

    seen, _ = run(Partial, [(1, "a", "5")])
    assert seen == [{"no": 1, "email": "a", "age": 5}]


def test_values_of_a_plain_copy_go_as_they_are() -> None:
    batch = rename(
        an_object(PersonDict, columns={"id": "no", "years": "age"}), NAMES, [("1", "a", "5"), ("2", "b", "x")]
    )
    assert (batch.columns, batch.rows, list(batch.origins)) == (("id", "years"), [("1", "5")], [0])
    assert [(reject.index, reject.stage) for reject in batch.rejects] == [(1, "validate")]


def test_a_password_in_a_reason_is_hidden() -> None:
    class Speaking(BaseModel):
        email: str

        @field_validator("email")
        @classmethod
        def speak(cls, text: str) -> str:
            raise ValueError(f"not reached: {text}")

    _, batch = run(Speaking, [(1, "postgresql://me:hunter2@host/db", 1)])
    assert "hunter2" not in batch.rejects[0].reason


@pytest.mark.parametrize("model", [object(), lambda row: row])
def test_what_is_no_model_is_refused_when_it_is_declared(model: Any) -> None:
    with pytest.raises(PlanError, match="no model that pydantic can use"):
        _ = an_object(model).validator


def test_a_model_without_fields_is_refused_when_it_meets_a_row() -> None:
    with pytest.raises(PlanError, match="makes a int of a row"):
        run(Annotated[Any, AfterValidator(lambda row: 5)], [(1, "a", 1)])


VALUE = st.one_of(st.none(), st.integers(-5, 5), st.text(max_size=3), st.sampled_from(["1", "-1", "a@x", "@"]))


@given(st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=8))
def test_every_row_goes_or_is_rejected_with_every_error(rows: list[tuple[Any, ...]]) -> None:
    seen, batch = run(Person, rows)
    good, bad = [], {}
    for index, row in enumerate(rows):
        wrong = [name for name, fits in zip(NAMES, map(fits_person, NAMES, row), strict=True) if not fits]
        if wrong:
            bad[index] = wrong
        else:
            good.append((index, {"no": int(row[0]), "email": row[1].lower(), "age": int(row[2])}))
    assert list(zip(batch.origins, seen, strict=True)) == good
    assert {one.index: [part.partition(":")[0] for part in one.reason.split("; ")] for one in batch.rejects} == bad


def fits_person(name: str, value: Any) -> bool:
    """By hand: what Person allows."""
    if name == "email":
        return isinstance(value, str) and "@" in value
    if isinstance(value, str):
        text = value.strip().removeprefix("+").removeprefix("-")
        if not (text.isascii() and text.isdigit()):
            return False
        value = int(value)
    return isinstance(value, int) and (name == "no" or value >= 0)


def test_a_changed_model_is_another_definition() -> None:
    one, other = Person, PersonDict
    before, now = definition(an_object(one)), definition(an_object(other))
    assert "validate" in difference(before, now)
    assert "field_validator('email')" in before["validate"]
    assert "validate" not in definition(an_object(None))


class Inner(BaseModel):
    amount: Decimal


class Outer(BaseModel):
    inner: Json[Inner]
    day: date


def test_the_definition_holds_the_models_that_a_model_names() -> None:
    text = definition(an_object(Outer))["validate"]
    assert "class Outer" in text
    assert "amount: Decimal" in text
    assert definition(an_object(Annotated[Outer, AfterValidator(fits_person)]))["validate"].startswith(text)
