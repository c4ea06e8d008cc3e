"""Compare rows with a SQLite table, on a connection that cannot write: all that it makes are temporary tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from milepost.connectors.sql.fit import Fitted, fit_rows, without
from milepost.connectors.sql.sqlite.each import RowFault, guarded, insert_each
from milepost.connectors.sql.sqlite.fault import fault
from milepost.connectors.sql.sqlite.find import Finder
from milepost.connectors.sql.sqlite.into import look_into
from milepost.connectors.sql.sqlite.lay import leave_out
from milepost.connectors.sql.sqlite.quote import listed
from milepost.connectors.sql.sqlite.reason import load_refusal, null_key, refusal
from milepost.connectors.sql.sqlite.stage import empty_stage
from milepost.connectors.sql.sqlite.stage_sql import changeable, compare_sql, create_sql, fill_sql, values_sql
from milepost.databases.sqlite import connect_read_only
from milepost.migration.keys import readable
from milepost.migration.source import Key, Row
from milepost.migration.target import Compared, Difference, Loading, Refused

EXPECTED = "temp.milepost_expected"
PART = 500  # columns looked at together: SQLite gives no more than 2000 of two rows


class SqliteComparing:
    """A Comparing over one table of a SQLite file.

    Temporary tables go to a file that SQLite deletes by itself; so does what it sorts.
    """

    def __init__(self, path: Path, name: str, columns: tuple[str, ...], key: tuple[str, ...]) -> None:
        self._place = f"{path}: {name}"
        self._finder = Finder(str(path))
        self._connection = connect_read_only(path)
        try:
            with self._faults():
                self._connection.execute("PRAGMA temp_store=FILE")
                self._connection.text_factory = _decode  # only of rows that differ are values read
                loading = Loading(columns=columns, key=key, fresh=False)
                self._into = look_into(self._connection, name, loading, str(path))
                self._keyed = self._finder.keyed(self._connection, name, key)
                self._connection.execute(f"CREATE TABLE {EXPECTED} ({self._keyed.shape})")
        except BaseException:
            self.close()
            raise

    def compare(self, rows: Sequence[Row]) -> Compared:
        with self._faults():
            fitted = self._laid(rows)
            found = dict(self._connection.execute(compare_sql(self._into)))
            missing = tuple(sorted(fitted.places[place] for place, there in found.items() if not there))
            differing = self._differences(fitted, [place for place, there in found.items() if there])
        refused = tuple(sorted(fitted.refused, key=lambda each: each.index))
        equal = len(rows) - len(refused) - len(missing) - len(differing)
        return Compared(equal=equal, missing=missing, differing=differing, refused=refused)

    def find(self, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]) -> list[Row | None]:
        with self._faults():
            return self._finder.find(self._connection, table, key, wanted, keys)

    def count(self) -> int:
        with self._faults():
            (count,) = self._connection.execute(f"SELECT count(*) FROM {self._into.table.quoted}").fetchone()
        return int(count)

    def expect(self, keys: Sequence[Key]) -> None:
        with self._faults():
            fitted = fit_rows(keys, self._keyed.fits)
            marks = ", ".join("?" * len(self._keyed.columns))
            with guarded(self._connection, "milepost_expect"):
                insert = f"INSERT INTO {EXPECTED} ({self._keyed.values}) VALUES ({marks})"
                insert_each(self._connection, insert, fitted.rows, leave_out, self._place)

    def extra(self, most: int) -> tuple[int, list[Key]]:
        keyed = self._keyed
        pairs = zip(keyed.values.split(", "), keyed.compared("t"), strict=True)
        expected = " AND ".join(f"e.{value} = +{column}" for value, column in pairs)
        unexpected = f"NOT EXISTS (SELECT 1 FROM {EXPECTED} AS e WHERE {expected})"
        count, first = 0, list[Key]()
        with self._faults():
            self._connection.execute(
                f"CREATE INDEX IF NOT EXISTS {EXPECTED}_key ON milepost_expected ({self._keyed.values})"
            )
            for key in self._connection.execute(
                f"SELECT {listed(keyed.columns, of='t')} FROM {keyed.table.quoted} AS t"
                f" WHERE {unexpected} ORDER BY {', '.join(keyed.compared('t'))}"
            ):
                count += 1
                if len(first) < most:
                    first.append(key)
        return count, first

    def close(self) -> None:
        self._connection.close()

    def _laid(self, rows: Sequence[Row]) -> Fitted:
        """The rows that the table could hold, in the stage under their places in what is returned."""
        into, fitted = self._into, fit_rows(rows, self._into.fits)
        nulls = [
            load_refusal(fitted.places[place], null_key(into.loading.columns[column]))
            for column in into.nullable_key
            for place, row in enumerate(fitted.rows)
            if row[column] is None
        ]
        fitted = without(fitted, list({each.index: each for each in nulls}.values()))
        unheld: list[Refused] = []

        def on_fault(place: int, error: RowFault) -> None:
            told = refusal(self._connection, into, place, fitted.rows[place], error)
            unheld.append(load_refusal(fitted.places[place], told.reason))

        with guarded(self._connection, "milepost_compare"):
            empty_stage(self._connection, create_sql(into))
            numbered = ((place, *row) for place, row in enumerate(fitted.rows))
            insert_each(self._connection, fill_sql(into), numbered, on_fault, self._place)
        return Fitted(fitted.rows, fitted.places, (*fitted.refused, *unheld))

    def _differences(self, fitted: Fitted, places: list[int]) -> tuple[Difference, ...]:
        names = changeable(self._into)
        found: dict[int, dict[str, tuple[Any, Any]]] = {place: {} for place in sorted(places)}
        for start in range(0, len(names) if places else 0, PART):
            part = names[start : start + PART]
            for place, *values in self._connection.execute(values_sql(self._into, part)):
                for name, there, wanted in zip(part, values, values[len(part) :], strict=False):
                    if place in found and (type(there) is not type(wanted) or there != wanted):
                        found[place][name] = (_shown(there), _shown(wanted))
        return tuple(Difference(index=fitted.places[place], columns=columns) for place, columns in found.items())

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise fault(error, self._place) from error


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _shown(value: Any) -> Any:
    """The value for people; bytes of a text that are not UTF-8 are written as such."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return readable(value)
