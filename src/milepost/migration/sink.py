"""A Sink as a target: what a batch is to send is laid ready, and sent once the intent is durable."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Outcome
from milepost.jobs.state import JSON
from milepost.migration.description import Description
from milepost.migration.restructure import picker
from milepost.migration.source import Key, Row
from milepost.migration.table import Sink, key_of
from milepost.migration.target import Comparing, Loaded, Loading, Refused

Parcel = list[dict[str, Any]]
"""The rows of one batch, ready to be sent: what stands for a connection where there is none."""


class SinkTarget:
    """A Target that knows of the rows of one batch only: of two with one key the later is refused, or wins."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def describe(self) -> Description:
        keys = (frozenset(key_of(self.sink)),)
        return Description(name=self.sink.name, columns=(), unique_keys=keys, takes_any=True)

    def is_empty(self, connection: Any) -> bool:
        """Nobody knows."""
        return False

    def load(self, connection: Parcel, rows: Sequence[Row], loading: Loading) -> Loaded:
        chosen, refused = choose(rows, loading)
        connection[:] = [dict(zip(loading.columns, rows[place], strict=True)) for place in chosen]
        return Loaded(loaded=len(rows) - len(refused), unchanged=0, refused=tuple(refused))

    def find(
        self, connection: Any, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]
    ) -> list[Row | None]:
        """Nobody can be asked what was sent."""
        raise self._no("no parent can be found")

    def referring(self, connection: Any, columns: tuple[str, ...], keys: Sequence[Key]) -> list[tuple[Key, Key]]:
        raise self._no("no rows that refer to others can be found")

    def draw_ids(self, connection: Any, column: str, count: int) -> list[Any]:
        raise self._no("no ids can be drawn")

    def update(self, connection: Parcel, rows: Sequence[Row], loading: Loading) -> Loaded:
        raise self._no("no single column can be set")

    def delete(self, connection: Any, keys: Sequence[Key]) -> Loaded:
        raise self._no("no row can be deleted")

    def comparing(self, columns: tuple[str, ...], key: tuple[str, ...]) -> Comparing:
        raise self._no("no rows can be compared")

    def close(self) -> None:
        """Nothing is held."""

    def _no(self, what: str) -> PlanError:
        return PlanError(
            f"{self.sink.name} is a Sink: nobody but its function knows what was sent, so {what} there",
            hint="Send these rows to a Table, or do it in the function.",
        )


class Sending:
    """A Sink as an Outside: the end of a transaction is a call of the user's function. It can tell nothing later."""

    def __init__(self, sink: Sink, checkpoint: Checkpoint) -> None:
        self.sink = sink
        self.checkpoint = checkpoint

    @contextmanager
    def transaction(self, check_lease: Callable[[], None]) -> Iterator[Parcel]:
        parcel: Parcel = []
        yield parcel
        if parcel:
            self.sink.write(parcel, self.checkpoint)

    def holds(self, connection: Any, key: Key) -> bool:
        return False

    def token(self, connection: Any, key: Key | None) -> JSON:
        return None

    def settle(self, connection: Any, token: JSON, key: Key | None) -> Outcome:
        return Outcome.UNKNOWN

    def close(self) -> None:
        """Nothing is held."""


def choose(rows: Sequence[Row], loading: Loading) -> tuple[list[int], list[Refused]]:
    """Which rows are to be sent, and which are refused: those without a key, and those whose key another row has."""
    pick = picker([loading.columns.index(name) for name in loading.key])
    chosen: dict[Hashable, int] = {}
    refused: list[Refused] = []
    for place, row in enumerate(rows):
        key = pick(row)
        if None in key:
            column = loading.key[key.index(None)]
            reason = f"column {column} is part of the key and holds NULL"
            refused.append(Refused(index=place, stage="load", reason=reason))
        elif (known := _hashable(key)) not in chosen or loading.last_wins:
            chosen.pop(known, None)
            chosen[known] = place
        else:
            refused.append(Refused(index=place, stage="duplicate", reason="another row already has this key"))
    return list(chosen.values()), refused


def _hashable(key: Key) -> Hashable:
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key
