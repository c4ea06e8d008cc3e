"""What a store remembers of a round: rejects, counts, results, and the key map."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from milepost.jobs.ledger import Counts
from milepost.jobs.state import JSON, Record, State
from milepost.jobs.store import Store
from milepost.wiring.open import open_store

PASS = re.compile(r"/(recheck|catch-up|retry|repair)-[0-9]+(?=/|$)")
BATCHES = 500  # of which the key map is asked at once
KeyMap = Mapping[str, list[tuple[str, JSON]]]  # source keys with their targets, by object


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """``rejects`` and ``counts`` are by path; passes of one kind are taken together, however many there were.

    Of a pass only the rows count that it changed: a run that was killed may begin another one.
    """

    rejects: Counter[str] = field(default_factory=Counter)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    key_map: KeyMap = field(default_factory=dict)


def remembered(url: str, job: str, objects: Collection[str], *, together: bool) -> Remembered:
    """Read it. ``together``: the store is in the target's database, where no batch is ever loaded again."""
    store = open_store(url, create=False)
    if store is None:
        return Remembered()
    with closing(store):
        rejects = Counter(
            json.dumps([whichever(each.path), each.stage, each.reason, each.key, each.content])
            for each in store.rejects(job)
        )
        records = store.checkpoints(job)
        return Remembered(
            rejects=rejects,
            counts=_counts(records, together=together),
            results={each.path: json.dumps(each.result) for each in records if not PASS.search(each.path)},
            unfinished=tuple(each.path for each in records if each.state is not State.COMPLETE),
            key_map={name: list(_mapped(store, job, name, records)) for name in objects},
        )


def whichever(path: str) -> str:
    """The path without the number of the pass."""
    return PASS.sub(r"/\1", path)


def _counts(records: Collection[Record], *, together: bool) -> dict[str, Counts]:
    counts: dict[str, Counts] = {}
    for each in records:
        path, found = whichever(each.path), each.counts if together else _whatever_changed(each.counts)
        if path == each.path:
            counts[path] = found
        elif found.loaded:
            counts[path] = counts.get(path, Counts()) + Counts(loaded=found.loaded)
    return counts


def _whatever_changed(counts: Counts) -> Counts:
    """Where a batch in doubt is loaded again, the target finds unchanged what was loaded before."""
    return replace(counts, loaded=counts.loaded + counts.unchanged, unchanged=0)


def _mapped(store: Store, job: str, name: str, records: Collection[Record]) -> Iterator[tuple[str, JSON]]:
    paths = [each.path for each in records if each.path == name or each.path.startswith(f"{name}/")]
    batches = ((path, entry.seq) for path in paths for entry in store.ledger(job, path))
    while some := list(islice(batches, BATCHES)):
        yield from store.mapped_by(job, name, some)
