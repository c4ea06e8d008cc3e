"""Whether a run whose lease has lapsed is stopped, or lives on while only the clock was set."""

from __future__ import annotations

from collections.abc import Callable

from milepost.clock import Clock
from milepost.stores.holding import Holding


def lives_on(last: Holding, *, look: Callable[[], Holding | None], holds: Callable[[], bool], clock: Clock) -> bool:
    """Whether the run gives a sign of life, while its lock is held, within half of its lease on a monotonic clock.

    A run renews its lease every third of it. So a live one is never taken over because the database's clock was set
    forward past the end of its lease, and a stopped one no later than half a lease after that end. ``look`` gives what
    the store knows now, ``holds`` whether the run's lock is seen to be held.
    """
    patience = last.ttl / 2
    began = clock.monotonic()
    while holds():
        if look() != last:
            return True
        left = patience - (clock.monotonic() - began)
        if left <= 0:
            return False
        clock.sleep(min(left, max(patience / 20, 0.01)))
    return look() != last
