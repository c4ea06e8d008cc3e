"""A function tried out before the run: what it did with the first rows is used when these rows come.

So the function is called once for each row of a run, and one that keeps a memory (names seen, a counter) is not misled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from milepost.migration.source import Row


class Trial:
    """Calls ``function``, and remembers what came of it until the same row comes a second time."""

    def __init__(self, function: Callable[[dict[str, Any]], Any]) -> None:
        self.function = function
        self.columns: tuple[str, ...] | None = None  # of what it made of them; None where it made nothing
        self.rows: list[Row] = []
        self._outcomes: deque[tuple[dict[str, Any], Callable[[], Any]]] = deque()

    def attempt(self, row: dict[str, Any]) -> Any:
        """Call the function and remember the outcome. Raises what it raises."""
        given = dict(row)
        try:
            result = self.function(row)
        except Exception as error:
            self._outcomes.append((given, _raiser(error)))
            raise
        self._outcomes.append((given, lambda: result))
        return result

    def __call__(self, row: dict[str, Any]) -> Any:
        """What came of this row when it was tried; a row that was not tried is given to the function."""
        if self._outcomes:
            given, outcome = self._outcomes.popleft()
            if given == row:
                return outcome()
            self._outcomes.clear()  # the source has changed since; the rest of the trial is of no use
        return self.function(row)


def _raiser(error: Exception) -> Callable[[], Any]:
    def again() -> Any:
        raise error

    return again
