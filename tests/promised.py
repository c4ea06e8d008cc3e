"""What a run told the world of, and whether the store still has it; asked by plain SQL, of either database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from fix_databases import Database

Event = dict[str, Any]
TELLING = {"RunStarted", "CheckpointStarted", "BatchCommitted", "PositionSaved", "CheckpointCompleted"}
COMPLETE = 0


@dataclass(frozen=True)
class Held:
    """What a store has."""

    epochs: set[int]
    checkpoints: dict[str, tuple[str, int, Any]]  # state, attempt, position
    batches: set[tuple[str, int]]

    def keeps(self, event: Event) -> bool:
        if event["event"] == "RunStarted":
            return event["epoch"] in self.epochs
        if event["event"] == "BatchCommitted":
            return (event["path"], event["seq"]) in self.batches
        state, attempt, position = self.checkpoints.get(event["path"], ("", 0, None))
        if event["event"] == "CheckpointStarted":
            return attempt >= event["attempt"]
        if event["event"] == "CheckpointCompleted":
            return state == "complete"
        return position == event["position"] or (isinstance(position, int) and position > event["position"])


def held(store: Database, job: str) -> Held:
    prefix = "milepost_" if store.url.startswith("sqlite") else "milepost."
    checkpoints = store.rows(f"SELECT path, state, attempt, position FROM {prefix}checkpoint WHERE job = '{job}'")
    return Held(
        epochs={epoch for (epoch,) in store.rows(f"SELECT epoch FROM {prefix}run WHERE job = '{job}'")},
        checkpoints={path: (state, at, json.loads(position or "null")) for path, state, at, position in checkpoints},
        batches=set(store.rows(f"SELECT path, seq FROM {prefix}ledger WHERE job = '{job}'")),
    )


def standing(events: Iterable[Event]) -> list[Event]:
    """Those that still hold: a rollback takes back what was told of its path and of all below it."""
    stand: list[Event] = []
    for event in events:
        if event["event"] == "RollbackStarted":
            stand = [each for each in stand if not is_below(each.get("path", ""), event["path"])]
        elif event["event"] in TELLING:
            stand.append(event)
    return stand


def forgotten(store: Database, job: str, events: Iterable[Event]) -> Iterator[str]:
    """What was told of, and is not in the store."""
    promised = standing(events)
    if not promised:
        return
    try:
        have = held(store, job)
    except (sqlite3.OperationalError, psycopg.errors.UndefinedTable) as error:
        yield f"forgotten: all of it ({error})"
    else:
        yield from (f"forgotten: {event}" for event in promised if not have.keeps(event))


def done_twice(events: Iterable[Event]) -> Iterator[str]:
    """Checkpoints that ran, and batches that were committed, again after they were told of and not undone."""
    known: set[tuple[str, int]] = set()  # a path with the number of a batch, or COMPLETE
    for event in events:
        kind, path = event["event"], event.get("path", "")
        if kind == "RollbackStarted":
            known = {each for each in known if not is_below(each[0], path)}
        elif kind == "CheckpointStarted" and (path, COMPLETE) in known:
            yield f"{path} was complete and ran again"
        elif kind == "BatchCommitted" and (path, event["seq"]) in known:
            yield f"batch {event['seq']} of {path} was committed again"
        elif kind in ("CheckpointCompleted", "BatchCommitted"):
            known.add((path, event.get("seq", COMPLETE)))


def is_below(path: str, above: str) -> bool:
    return above in {path, ""} or path.startswith(f"{above}/")
