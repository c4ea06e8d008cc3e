"""Trying again what failed with a passing fault: telling, waiting, and knowing when to give up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from milepost.clock import Clock
from milepost.errors import Retryable
from milepost.jobs.event import Told
from milepost.jobs.failure import describe, in_words
from milepost.jobs.retry import Patience, Place, wait_before
from milepost.jobs.session import Session

Result = TypeVar("Result")

SLICE = 0.2  # seconds; how soon a wait notices that the run is to stop, or has lost its lease


class Insistence:
    """One run's tries: how often each place has failed, and what was left of patience."""

    def __init__(self, session: Session, patience: Patience, clock: Clock) -> None:
        self.session = session
        self.patience = patience
        self.clock = clock
        self._failed: Counter[Place] = Counter()
        self._place = Place()  # where it failed last

    def on(self, act: Callable[[], Result]) -> Result:
        """What ``act()`` returns, tried again after each Retryable until patience is at its end.

        Raises the last Retryable then, saying how often it was tried; while it waits, Interrupted and LeaseLost; and
        at once whatever else ``act`` raises.
        """
        while True:
            try:
                return act()
            except Retryable as error:
                self._bear(error)

    def _bear(self, error: Retryable) -> None:
        """Wait for the next try, or raise the error if there is to be none."""
        self._place = self.session.place_of(error) or self._place  # on the way back there it is no other place
        self._failed[self._place] += 1
        failed, in_all = self._failed[self._place], self._failed.total()
        wait = wait_before(failed + 1, self.patience, random.random())  # noqa: S311  # spreads runs; guards nothing
        if wait is None or in_all >= self.patience.most:
            failed = failed if wait is None else in_all
            if failed > 1:
                error.message = f"{error.message} (tried {failed} times)"
            raise error
        self.session.retried = describe(error)
        said = in_words(error).partition("\n")[0]
        then = f"waiting {wait:.1f} s before try {failed + 1} of {self.patience.tries}"
        self.session.emit(Told(path=self._place.path, message=f"{said}; {then}"))
        self._wait(wait)

    def _wait(self, seconds: float) -> None:
        left = seconds
        while left > 0:
            self.session.boundary()
            self.clock.sleep(min(left, SLICE))
            left -= SLICE
        self.session.boundary()
