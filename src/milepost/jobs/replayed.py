"""The checkpoint of a step that is looked at again: it is given what it was given before, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from types import MappingProxyType

from milepost.errors import Fatal
from milepost.jobs.checkpoint import ONCE
from milepost.jobs.json_value import as_json
from milepost.jobs.ledger import NO_ROWS, Counts
from milepost.jobs.parameters import PARAMETERS
from milepost.jobs.state import JSON, Failure, Record
from milepost.jobs.store import Store


class Replayed:
    """What a function reads of its checkpoint, as the run had it: the time, the parameters, the values made up once.

    A value that was not made up then is made now, and kept as long as this object. What would write raises Fatal.
    """

    def __init__(self, store: Store, job: str, path: str) -> None:
        root = store.recall(job, "")
        self.path = path
        self.names = tuple(path.split("/"))
        self.parameters: Mapping[str, str] = MappingProxyType(root.get(PARAMETERS) or {})
        self.recovering = False
        self.failure: Failure | None = None
        self.paused_for: timedelta | None = None
        self.in_doubt = False
        self.token: JSON = None
        self._record = store.get(job, path) or Record(path=path)
        self._now = datetime.fromisoformat(root["now"]) if "now" in root else store.now()
        self._remembered = store.recall(job, path)

    @property
    def attempt(self) -> int:
        return self._record.attempt

    @property
    def position(self) -> JSON:
        return self._record.position

    @property
    def counts(self) -> Counts:
        return self._record.counts or NO_ROWS

    @property
    def batches(self) -> int:
        return self._record.batches

    @property
    def now(self) -> datetime:
        """The time at which the job was first started."""
        return self._now

    def once(self, name: str, make: Callable[[], JSON]) -> JSON:
        """What ``make()`` gave when the rows were moved."""
        if ONCE + name not in self._remembered:
            self._remembered[ONCE + name] = as_json(make(), f"the value {name!r} of {self.path}")
        return deepcopy(self._remembered[ONCE + name])

    def tell(self, message: str) -> None:
        """It was told when the rows were moved."""

    def __getattr__(self, name: str) -> object:
        raise Fatal(
            f"{self.path}: the function uses cp.{name}, and rows are only compared now: nothing may be written",
            hint="A restructure function that reads (cp.now, cp.once, cp.parameters) can be compared.",
        )
