"""How many rejects are allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import PlanError
from milepost.migration.limit import allowed


@pytest.mark.parametrize(
    ("max_rejects", "rows", "expected"),
    [(0, 100, 0), (7, 0, 7), ("2%", 100, 2), ("2 %", 149, 2), ("0.5%", 1000, 5), ("100%", 3, 3), ("0%", 9, 0)],
)
def test_a_number_or_a_share_of_the_rows(max_rejects: Any, rows: int, expected: int) -> None:
    assert allowed(max_rejects, rows) == expected


@given(st.floats(0, 100).map(lambda share: f"{share:.3f}%"), st.integers(0, 10**9))
def test_a_share_never_allows_more_rows_than_there_are(share: str, rows: int) -> None:
    assert 0 <= allowed(share, rows) <= rows


@pytest.mark.parametrize("wrong", [-1, True, "2", "many", "101%", "-1%", None, 2.5])
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(PlanError, match="max_rejects="):
        allowed(wrong, 100)
