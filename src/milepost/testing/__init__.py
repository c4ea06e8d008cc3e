"""For tests, ours and others': a clock that is set by hand, and the suites that a store or connector must pass."""

from milepost.testing.clock import ManualClock

__all__ = ["ManualClock"]
