"""What the store knows of a migration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from milepost.jobs.intent import INTENT
from milepost.jobs.lease import Run
from milepost.jobs.state import JSON, Record, State
from milepost.jobs.store import Store
from milepost.migration.object import Object
from milepost.migration.pin import Pin, recorded


@dataclass(frozen=True, kw_only=True)
class Known:
    """The checkpoints by their paths, the values remembered for the job and each object, the runs, oldest first."""

    records: Mapping[str, Record] = field(default_factory=dict)
    values: Mapping[str, dict[str, JSON]] = field(default_factory=dict)
    runs: Sequence[Run] = ()

    def record(self, name: str) -> Record:
        return self.records.get(name) or Record(path=name)

    def progress(self, each: Object) -> State:
        """The state, but PENDING as long as it surely moved nothing: no batch is committed, and none is in doubt."""
        record = self.record(each.name)
        moved = record.batches > 0 or self.remembered(each).get(INTENT) is not None
        return record.state if moved or record.state in {State.ROLLING_BACK, State.COMPLETE} else State.PENDING

    def remembered(self, each: Object) -> dict[str, JSON]:
        return self.values.get(each.name, {})

    def pinned(self, each: Object) -> Pin | None:
        return recorded(self.values.get("", {}), each)

    def are_complete(self, names: Iterable[str]) -> bool:
        return all(self.record(name).state is State.COMPLETE for name in names)


def known_of(store: Store | None, job: str, objects: Iterable[Object]) -> Known:
    """What the store tells of the job; it is closed then. Nothing is known where there is no store."""
    if store is None:
        return Known()
    with closing(store):
        return Known(
            records={record.path: record for record in store.checkpoints(job)},
            values={path: store.recall(job, path) for path in ("", *(each.name for each in objects))},
            runs=store.runs(job),
        )
