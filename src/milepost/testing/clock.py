"""A clock that stands still until it is told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A :class:`milepost.clock.Clock` for tests. A sleep moves it on and returns at once; ``slept`` lists them."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass. Time never goes back: raises ValueError for a negative number."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        self._passed += seconds
