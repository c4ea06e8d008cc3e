"""What the model store keeps, and the part of it that is about single rows: rejects, the key map, links."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from milepost.jobs.lease import Lease, Run
from milepost.jobs.ledger import Entry, RejectedRow
from milepost.jobs.state import JSON, Record
from milepost.stores.encode import decode, encode, same_name
from milepost.stores.holding import is_within


@dataclass
class KeptJob:
    """Everything about one job. Ledger and rejects by path, values by path and name, links by path and batch.

    The key map by path and key: the target as text, and the batch.
    """

    epoch: int = 0
    held: bool = False
    dead: bool = False
    runs: list[Run] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    ledger: dict[str, list[Entry]] = field(default_factory=dict)
    rejects: dict[str, list[RejectedRow]] = field(default_factory=dict)
    values: dict[str, dict[str, str | None]] = field(default_factory=dict)
    links: dict[str, dict[int, list[str | None]]] = field(default_factory=dict)
    key_map: dict[str, dict[str, tuple[str | None, tuple[str, int]]]] = field(default_factory=dict)

    def copy(self) -> KeptJob:
        return replace(
            self,
            runs=list(self.runs),
            records=dict(self.records),
            ledger={path: list(entries) for path, entries in self.ledger.items()},
            rejects={path: list(rows) for path, rows in self.rejects.items()},
            values={path: dict(values) for path, values in self.values.items()},
            links={path: dict(batches) for path, batches in self.links.items()},
            key_map={path: dict(keys) for path, keys in self.key_map.items()},
        )


class MemoryOfRows(ABC):
    """The methods of the contract that are about rows."""

    def __init__(self) -> None:
        self._jobs: dict[str, KeptJob] = {}
        self._lock = threading.RLock()

    @abstractmethod
    def _writing(self, lease: Lease) -> AbstractContextManager[KeptJob]:
        """What is done inside must not fail after its first change."""

    # -- rejects

    def rejects(self, job: str, path: str | None = None) -> Iterator[RejectedRow]:
        with self._lock:
            return iter(self._rejects(job, path or ""))

    def _rejects(self, job: str, path: str) -> list[RejectedRow]:
        kept = self._jobs.get(job, KeptJob()).rejects
        return [row for each in sorted(kept) if is_within(each, path) for row in kept[each]]

    def find_rejects(self, job: str, path: str, keys: Sequence[JSON]) -> list[RejectedRow]:
        wanted = _texts(keys)
        with self._lock:
            return [row for row in self._rejects(job, path) if wanted & _texts([row.key, row.target_key])]

    def count_rejects(self, job: str, path: str, batches: Sequence[tuple[str, int]] | None = None) -> int:
        with self._lock:
            every = self._rejects(job, path)
            return sum(1 for row in every if batches is None or (row.path, row.seq) in batches)

    def forget_rejects(
        self, lease: Lease, path: str, *, keys: Sequence[JSON] = (), batches: Sequence[tuple[str, int]] = ()
    ) -> int:
        same_name(path, "path")
        wanted, forgotten = _texts(keys), 0
        with self._writing(lease) as job:
            for each in [each for each in job.rejects if is_within(each, path)]:
                rows = job.rejects[each]
                left = [row for row in rows if not wanted & _texts([row.key]) and (each, row.seq) not in batches]
                job.rejects[each] = left
                forgotten += len(rows) - len(left)
        return forgotten

    # -- the key map

    def map_keys(self, lease: Lease, path: str, batch: tuple[str, int], rows: Sequence[tuple[str, JSON]]) -> None:
        targets = {same_name(key, "key"): encode(target, "a key in the target") for key, target in rows}
        same_name(path, "path")
        same_name(batch[0], "path")
        with self._writing(lease) as job:
            job.key_map.setdefault(path, {}).update((key, (target, batch)) for key, target in targets.items())

    def mapped(self, job: str, path: str, keys: Sequence[str]) -> dict[str, JSON]:
        with self._lock:
            known = self._key_map(job, path)
            return {key: decode(known[key][0]) for key in keys if key in known}

    def mapped_from(self, job: str, path: str, targets: Sequence[JSON]) -> list[tuple[str, JSON]]:
        wanted = _texts(targets)
        with self._lock:
            return [(key, decode(text)) for key, (text, _) in self._key_map(job, path).items() if text in wanted]

    def mapped_by(self, job: str, path: str, batches: Sequence[tuple[str, int]]) -> list[tuple[str, JSON]]:
        with self._lock:
            return [(key, decode(text)) for key, (text, by) in self._key_map(job, path).items() if by in batches]

    def unmap(self, lease: Lease, path: str, keys: Sequence[str]) -> None:
        same_name(path, "path")
        with self._writing(lease) as job:
            for key in keys:
                job.key_map.get(path, {}).pop(key, None)

    def _key_map(self, job: str, path: str) -> dict[str, tuple[str | None, tuple[str, int]]]:
        """In order of the keys."""
        return dict(sorted(self._jobs.get(job, KeptJob()).key_map.get(path, {}).items()))

    # -- links

    def keep_links(self, lease: Lease, path: str, seq: int, links: Sequence[JSON]) -> None:
        texts = [encode(link, "a link") for link in links]
        same_name(path, "path")
        with self._writing(lease) as job:
            job.links.setdefault(path, {})[seq] = texts

    def links(self, job: str, path: str, after: tuple[int, int] | None = None) -> Iterator[tuple[int, int, JSON]]:
        with self._lock:
            kept = self._jobs.get(job, KeptJob()).links.get(path, {})
            every = [(seq, place, decode(text)) for seq in sorted(kept) for place, text in enumerate(kept[seq])]
            return iter([each for each in every if after is None or each[:2] > after])


def _texts(values: Sequence[JSON]) -> set[str]:
    """As a store that writes text would compare them; null is equal to nothing."""
    return {text for value in values if (text := encode(value, "a key")) is not None}


def rewind_keys(job: KeptJob, path: str) -> None:
    """Mark what was mapped by objects' own batches at the path or below it, as they are forgotten."""
    for name, known in job.key_map.items():
        for key, (target, (by, seq)) in known.items():
            if seq > 0 and is_within(by, path) and is_within(by, name):
                known[key] = target, (name, -1)
