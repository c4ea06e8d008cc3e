"""How long a pause may be, as users write it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milepost.errors import PlanError
from milepost.migration.duration import duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("10m", 600), (" 2h ", 7200), ("1.5h", 5400), ("7d", 604_800)]
)
def test_a_time_is_a_number_and_a_unit(text, seconds) -> None:
    assert duration(text, "recheck_after") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "-1m", "10 minutes", "1e9d", "9" * 400 + "d", None, 10])
def test_anything_else_is_refused_by_the_name_of_the_setting(text) -> None:
    with pytest.raises(PlanError, match="recheck_after"):
        duration(text, "recheck_after")
