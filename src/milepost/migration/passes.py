"""The passes that look at a source again: their names, what is remembered of them, and when one is due. Pure."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from itertools import pairwise

from milepost.jobs.lease import Run
from milepost.jobs.ledger import Entry
from milepost.jobs.state import JSON

RECHECK, CATCH_UP = "recheck", "catch-up"
PASSES = "passes"  # the names under which the job remembers them
AS_OF = "as of"
AS_OF_IN_WORDS = "as of, in words"  # with what nobody looked for by then
VANISHED = "vanished"
_RANGES = re.compile(rf"(?P<kind>{RECHECK}|{CATCH_UP})-(?P<number>\d+)")
_RANK = {RECHECK: 0, "": 1, CATCH_UP: 2}  # in one run: first what is looked at again, then new work, then the rest


@dataclass(frozen=True, kw_only=True)
class Pass:
    """The latest pass of a kind. ``open``: it has begun and is not over; a run that recovers goes on with it.

    ``epoch`` is that of the run that decided about it last. ``begun`` is the store's time. ``objects`` are those whose
    ranges it looks at; ``ends`` are the keys up to which it takes in rows beyond an object's end. ``unsettled``
    are paths of passes whose links could not be set yet, and what their deletions left to be loaded again.
    """

    number: int = 0
    open: bool = False
    epoch: int = 0
    begun: str | None = None
    objects: tuple[str, ...] = ()
    ends: Mapping[str, JSON] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()

    def next(self, *, epoch: int, begun: str, objects: Sequence[str], ends: Mapping[str, JSON]) -> Pass:
        """The pass after this one, opened."""
        return Pass(
            number=self.number + 1,
            open=True,
            epoch=epoch,
            begun=begun,
            objects=tuple(objects),
            ends=dict(ends),
            unsettled=self.unsettled,
        )

    def over(self, *, epoch: int, unsettled: Iterable[str] = ()) -> Pass:
        """The same, over: nothing more is to be done for it, but for what is ``unsettled``."""
        return replace(self, open=False, epoch=epoch, objects=(), ends={}, unsettled=tuple(dict.fromkeys(unsettled)))

    def as_json(self) -> JSON:
        return {**asdict(self), "objects": list(self.objects), "unsettled": list(self.unsettled)}


def recorded(values: Mapping[str, JSON], kind: str) -> Pass:
    """The latest pass of that kind, as the job remembers it; number 0 where there was none."""
    found = (values.get(PASSES) or {}).get(kind)
    if found is None:
        return Pass()
    return Pass(**{**found, "objects": tuple(found["objects"]), "unsettled": tuple(found["unsettled"])})


def path_of(name: str, kind: str, number: int) -> str:
    """The path of an object's part of a pass."""
    return f"{name}/{kind}-{number}"


def reads_ranges(path: str, name: str) -> bool:
    """Whether the ledger of that path says which ranges of the object were read: its own, or a pass over ranges."""
    return path == name or (path.startswith(f"{name}/") and bool(_RANGES.fullmatch(path.removeprefix(f"{name}/"))))


def in_order_of_commit(ledgers: Mapping[str, Iterable[Entry]], name: str) -> Iterator[Entry]:
    """The entries of an object's own path and of its passes over ranges, as they were committed."""

    def keyed(path: str, entries: Iterable[Entry]) -> Iterator[tuple[tuple[int, int, int, int], Entry]]:
        found = _RANGES.fullmatch(path.removeprefix(f"{name}/"))
        rank, number = (_RANK[found["kind"]], int(found["number"])) if found else (_RANK[""], 0)
        return (((entry.epoch, rank, number, entry.seq), entry) for entry in entries)

    merged = heapq.merge(*(keyed(path, entries) for path, entries in ledgers.items()), key=lambda pair: pair[0])
    return (entry for _, entry in merged)


def longest_pause(runs: Iterable[Run], since: int) -> timedelta | None:
    """The longest time between two runs that followed one another, of those behind the epoch ``since``; or None.

    Counted from the last sign of life of the one to the start of the other.
    """
    pauses = [
        max(after.started_at - max(before.seen_at, before.ended_at or before.seen_at), timedelta(0))
        for before, after in pairwise(runs)
        if after.epoch > since
    ]
    return max(pauses, default=None)
