"""The user's own function as a Source."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from milepost.clock import Clock, SystemClock
from milepost.errors import Fatal
from milepost.migration.chunks import ChunkSize
from milepost.migration.description import Description
from milepost.migration.source import Extent, Key, Row
from milepost.migration.table import Rows, key_of

CHUNK_SECONDS = 0.5
FIND_CHUNK = 1000  # rows looked at together for keys
ORDERED = (int, Decimal, date, UUID)  # types that have one order only


class RowsSource:
    """Reads by calling ``read(after)``. What its rows hold is known from the first one on.

    Rows that are slow to come are handed on after ``CHUNK_SECONDS``, so that they can be committed.
    """

    def __init__(self, rows: Rows, clock: Clock | None = None) -> None:
        self.rows = rows
        self.clock = clock if clock is not None else SystemClock()
        self.key = key_of(rows)
        self.columns = self.key

    def describe(self) -> Description:
        return Description(name=self.rows.name, columns=(), is_table=False)

    def check_key(self) -> None:
        """Nothing can be known before the rows are read; ``read`` looks at every key."""

    def highest(self) -> Key | None:
        return None

    def count(self, upto: Key | None) -> int | None:
        return None

    def read(self, after: Key | None, upto: Key | None, chunk: int) -> Iterator[list[Row]]:
        """The rows behind ``after``. Raises Fatal for one that is no dict, lacks a column, or repeats a key.

        Where the row with the key ``upto`` is gone, and only the reader knows what comes behind it (of texts), the
        rest is read too.
        """
        place = after[0] if after is not None and len(after) == 1 else after
        size, rows, monotonic = ChunkSize(chunk), [], self.clock.monotonic
        ends = monotonic() + CHUNK_SECONDS
        for row in self._tuples(iter(self.rows.read(place)), after, upto):
            rows.append(row)
            if len(rows) >= size.rows or monotonic() >= ends:
                yield rows
                size.learn(rows)
                rows, ends = [], monotonic() + CHUNK_SECONDS
        if rows:
            yield rows

    def extent(self, after: Key | None, upto: Key | None) -> Extent:
        """Nobody knows before the rows are read."""
        return Extent(rows=None)

    def find(self, keys: Sequence[Key]) -> list[Row]:
        """The rows with these keys. The function is called once, from the beginning, and read until all were seen.

        So it costs as much as reading everything up to the last of the keys; all of it where one of them is gone
        and only the reader knows what comes behind it (of texts).
        """
        wanted = set(map(_known, keys))
        found: list[Row] = []
        for rows in self.read(None, _last(keys), FIND_CHUNK) if wanted else ():
            places = [self.columns.index(name) for name in self.key]
            for row in rows:
                key = _known(tuple(row[place] for place in places))
                if key in wanted:
                    wanted.discard(key)
                    found.append(row)
            if not wanted:
                break
        return found

    def close(self) -> None:
        """Nothing is held."""

    def _tuples(self, rows: Iterator[Mapping[str, Any]], last: Key | None, upto: Key | None) -> Iterator[Row]:
        first = True
        for row in rows:
            if first:
                self.columns, first = self._columns(row, last), False
            elif not isinstance(row, Mapping) or row.keys() != set(self.columns):
                raise self._wrong(last, f"gave {_shown(row)} where the rows before it have {', '.join(self.columns)}")
            key = tuple(row[name] for name in self.key)
            if None in key:
                raise self._wrong(last, f"gave a row whose key {self.key} holds None: {_shown(row)}")
            if key == last:
                raise self._wrong(last, f"gave the key {key} twice")
            if last is not None and _descends(key, last):
                raise self._wrong(
                    last, f"gave the key {key}, which comes before it: rows behind it would be passed over"
                )
            if upto is not None and key != upto and _descends(upto, key):
                return
            yield tuple(row[name] for name in self.columns)
            if key == upto:
                return
            last = key

    def _columns(self, row: Mapping[str, Any], last: Key | None) -> tuple[str, ...]:
        if not isinstance(row, Mapping):
            raise self._wrong(last, f"gave {_shown(row)}, which is no dict")
        missing = [name for name in self.key if name not in row]
        if missing:
            raise self._wrong(last, f"gave a row without {', '.join(missing)}, which is its key: {_shown(row)}")
        return tuple(row)

    def _wrong(self, last: Key | None, what: str) -> Fatal:
        where = "at the beginning" if last is None else f"after the key {last}"
        return Fatal(f"{self.rows.name}, {where}, {what}", hint="Mend the function and run the same command again.")


def _known(key: Key) -> Hashable:
    """The key as it can be looked up; one that is a list, or holds one, by how it is written."""
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key


def _last(keys: Sequence[Key]) -> Key | None:
    """The last of the keys; None where that is not sure."""
    kinds = {tuple(type(value) for value in key) for key in keys}
    return max(keys) if len(kinds) == 1 and set(*kinds) <= set(ORDERED) else None


def _descends(key: Key, last: Key) -> bool:
    """Whether the key surely comes before the last one. Of text nothing is sure: its order is the source's own."""
    for value, before in zip(key, last, strict=True):
        if value != before:
            return type(value) is type(before) and type(value) in ORDERED and bool(value < before)
    return False


def _shown(row: Any) -> str:
    text = repr(row)
    return text if len(text) <= 200 else text[:197] + "…"
