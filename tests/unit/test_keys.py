"""A key survives being a position: through JSON text and back, with its type."""

from __future__ import annotations

import json
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import Fatal
from milepost.jobs.json_value import as_json
from milepost.migration.keys import canonical, decode, encode, highest, map_key, readable, unmap_key

VALUES = st.one_of(
    st.integers(),
    st.text(),
    st.text(st.characters(categories=["Cs", "Lu"])),  # lone surrogates, as in text from SQLite that is not UTF-8
    st.booleans(),
    st.binary(),
    st.uuids(),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.decimals(allow_nan=False),
    st.floats(allow_nan=False),
)


@given(st.lists(VALUES, min_size=1, max_size=4).map(tuple))
def test_a_key_is_read_back_equal_and_of_the_same_types(key: tuple[Any, ...]) -> None:
    again = decode(as_json(encode(key), "the position"))
    assert again == key
    assert [type(value) for value in again or ()] == [type(value) for value in key]


def test_a_decimal_keeps_its_trailing_zeros() -> None:
    assert str((decode(encode([Decimal("1.10")])) or ())[0]) == "1.10"


def test_no_position_is_no_key() -> None:
    assert decode(None) is None


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, object()])
def test_what_cannot_be_a_position_is_refused(value: Any) -> None:
    with pytest.raises(Fatal, match="cannot be a position"):
        encode([value])


@given(st.recursive(VALUES | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_row_is_readable_as_strict_json(value: Any) -> None:
    text = json.dumps(readable(value), allow_nan=False)
    assert (
        json.dumps(json.loads(text)) == text
    )  # the text is the same again, though two lone surrogates read as one sign


@given(st.integers(-(10**40), 10**40), st.integers(0, 9))
def test_an_integral_number_is_one_key_whatever_its_type(number: int, zeros: int) -> None:
    same = [number, Decimal(number), Decimal(f"{number}.{'0' * zeros}")]
    if abs(number) < 2**53:
        same.append(float(number))
    assert {map_key((value, "a")) for value in same} == {f'[{number},"a"]'}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=35), st.integers(0, 9))
def test_a_decimal_is_one_key_whatever_zeros_end_it_and_no_digit_is_lost(value: Decimal, zeros: int) -> None:
    longer = Decimal(f"{value:f}{'0' * zeros}")
    assert map_key((value,)) == map_key((longer,))
    assert (decode(canonical((value,))) or ())[0] == value


@given(st.lists(VALUES, min_size=1, max_size=4).map(tuple), st.integers(0, 3))
def test_a_mapped_key_is_read_back_equal_with_its_part(key: tuple[Any, ...], part: int) -> None:
    assert unmap_key(map_key(key, part)) == (key, part)


@given(st.lists(VALUES, min_size=1, max_size=4).map(tuple), st.lists(VALUES, min_size=1, max_size=4).map(tuple))
def test_two_keys_are_mapped_as_one_only_if_they_are_equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    if map_key(one) == map_key(other):
        assert one == other


@pytest.mark.parametrize("value", [2.0**53, -(2.0**53), 1e17, 2.0**63, 1e300, -1e300])
def test_a_float_that_stands_for_many_integers_is_the_key_of_none(value: float) -> None:
    assert decode(canonical((value,))) == (value,)
    assert type((decode(canonical((value,))) or ())[0]) is float
    assert map_key((value,)) != map_key((int(value),))


def test_a_part_has_a_key_of_its_own() -> None:
    assert map_key(("C1",)) == '["C1"]'
    assert map_key(("C1",), 2) == '["C1",{"part":2}]'


def test_the_highest_value_is_pythons_and_none_where_values_have_no_order() -> None:
    assert highest([None, 3, 7.5, None]) == encode([7.5])
    assert highest([None]) is None
    assert highest([]) is None
    assert highest([1, "a"]) is None
    assert highest([object()]) is None
