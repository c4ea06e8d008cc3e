"""Load straight into the table: for a range that is surely empty there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from milepost.connectors.sql.sqlite.each import RowFault, insert_carefully, insert_each
from milepost.connectors.sql.sqlite.into import Into
from milepost.connectors.sql.sqlite.quote import listed
from milepost.connectors.sql.sqlite.reason import load_refusal, null_key, refusal
from milepost.migration.source import Row
from milepost.migration.target import Loaded, Refused


def load_directly(connection: sqlite3.Connection, rows: Sequence[Row], into: Into) -> Loaded:
    """Insert the rows one after another; of two rows with one key the later is refused."""
    refused = _without_key(rows, into)
    bad = {each.index for each in refused}
    places = [place for place in range(len(rows)) if place not in bad] if bad else range(len(rows))
    tried = [rows[place] for place in places] if bad else rows

    def on_fault(place: int, error: RowFault) -> None:
        refused.append(refusal(connection, into, places[place], tried[place], error))

    insert = insert_carefully if into.careful else insert_each
    insert(connection, insert_sql(into), tried, on_fault, into.place)
    return Loaded(loaded=len(rows) - len(refused), unchanged=0, refused=tuple(refused))


def insert_sql(into: Into) -> str:
    """OR ABORT overrides an ON CONFLICT clause of the table's own, which might drop or replace rows in silence."""
    marks = ", ".join("?" * len(into.loading.columns))
    return f"INSERT OR ABORT INTO {into.table.quoted} ({listed(into.loading.columns)}) VALUES ({marks})"


def _without_key(rows: Sequence[Row], into: Into) -> list[Refused]:
    found: dict[int, str] = {}
    for place in into.nullable_key:
        reason = null_key(into.loading.columns[place])
        found |= {index: reason for index, row in enumerate(rows) if row[place] is None and index not in found}
    return [load_refusal(index, reason) for index, reason in sorted(found.items())]
