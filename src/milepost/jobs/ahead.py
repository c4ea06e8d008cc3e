"""Complete checkpoints read before they are met, so that a resumed run passes over many for one look at the store."""

from __future__ import annotations

from milepost.jobs.state import Completed
from milepost.jobs.store import Store

LEAST, MOST = 32, 2048  # places looked at in one go: more while what is found is met, fewer while it is not


class Ahead:
    """What was complete when the run came to it, of the checkpoints first written after the one met last.

    1. Only what is complete is kept. Nobody but this run can change it, and it does so only by forgetting: whatever
       forgets, or may have done so, calls ``forget``.
    2. At most MOST are kept at a time, and none with a large result.
    """

    def __init__(self, store: Store, job: str) -> None:
        self._store = store
        self._job = job
        self._found: dict[str, Completed] = {}
        self._met = 0
        self._places = LEAST

    def find(self, path: str) -> Completed | None:
        """The checkpoint, if it is known to be complete; None says nothing."""
        found = self._found.get(path)
        if found is not None:
            self._met += 1
        return found

    def look_beyond(self, path: str) -> None:
        """Read on after a checkpoint that was met and is complete."""
        useful = self._met * 4 > len(self._found)
        self._places = min(self._places * 4, MOST) if useful else LEAST
        self._found = {each.path: each for each in self._store.completed_after(self._job, path, self._places)}
        self._met = 0

    def forget(self) -> None:
        """Know nothing any more."""
        self._found = {}
