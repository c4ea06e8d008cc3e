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
from milepost.migration.keys import decode, encode, readable

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
