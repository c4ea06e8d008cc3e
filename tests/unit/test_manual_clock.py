"""The clock that tests set by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from milepost.testing import ManualClock


def test_it_stands_still_until_it_is_told_otherwise():
    clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2026, 5, 1, tzinfo=UTC)
    clock.advance(90)
    clock.sleep(0.5)
    assert clock.now() == datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=90.5)
    assert (clock.monotonic(), clock.slept) == (90.5, [0.5])


def test_it_never_goes_back():
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(-1)
