"""How often, and after how long, a run tries again what failed with a passing fault. Pure.

1. Tries are counted by the place where they fail, so that progress gives new ones, and what always fails at one place
   is given up whatever lies on the way to it.
2. What a rollback undoes before the next try is no progress: inside a step that has one, every place is that step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from milepost.jobs.state import JSON


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How much a run bears: ``tries`` at one place in all, the first one counted.

    ``most`` in one run in all, wherever: what fails at ever new places does not pass either.
    Waits are in seconds: at most ``first`` before the second try, then twice as much each time, up to ``longest``.
    """

    tries: int = 10
    most: int = 5000
    first: float = 0.5
    longest: float = 30.0


PATIENT = Patience()


@dataclass(frozen=True)
class Place:
    """Where a fault came up: the deepest checkpoint, its position (as JSON text), and the path that ended before it."""

    path: str = ""
    position: str = "null"
    after: str = ""


def place_at(path: str, position: JSON, after: str) -> Place:
    """The place of a fault in the checkpoint ``path``."""
    return Place(path, json.dumps(position, sort_keys=True), after)


def wait_before(number: int, patience: Patience, chance: float) -> float | None:
    """Seconds to wait before the try ``number`` at one place, the first being 1; None: give up.

    ``chance``, from 0 to 1, takes away up to half of it, so that many runs do not come back at the same instant.
    """
    if number > patience.tries:
        return None
    if number <= 1:
        return 0.0
    whole = min(patience.longest, patience.first * 2.0 ** min(number - 2, 1000))
    return whole * (1 - chance / 2)
