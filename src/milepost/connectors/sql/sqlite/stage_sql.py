"""The statements of a staged load, written once for each way of loading a table.

The stage's columns are called c0, c1, …: a table's own names could clash with the stage's. Everywhere ``t`` is the
target's table, ``s`` the stage and ``p`` a parent's table.

A unary plus before a stage column takes away its affinity and its index, so that the target's key index is the one to
be used, and the comparison is that of the target's column, as a foreign key's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milepost.connectors.sql.sqlite.describe import BINARY
from milepost.connectors.sql.sqlite.into import Into, Wanted
from milepost.connectors.sql.sqlite.quote import listed, quote

STAGE = "temp.milepost_stage"
WAITING, CHOSEN, REFUSED, REPLACED = range(4)
ONE = " AND s.milepost_row = ?"


@dataclass(frozen=True, kw_only=True)
class StageSql:
    """``update`` is None where nothing but the key is loaded. The ``_one`` forms take a row's number."""

    create: str
    fill: str
    absent: str
    present: str
    choose: str
    replace: str
    update: str | None
    update_one: str | None
    insert: str
    insert_one: str
    exists_one: str
    differs_one: str | None


def write_stage_sql(into: Into) -> StageSql:
    loading = into.loading
    upserts = not loading.fresh or loading.last_wins or not into.adds
    update, differs = _update(into), _differs(into)
    exists = f"EXISTS (SELECT 1 FROM {into.table.quoted} AS t WHERE {_match(into)})"
    chosen = f"FROM {STAGE} AS s WHERE s.state = {CHOSEN}"
    values = ", ".join(f"s.c{place}" for place in range(len(loading.columns)))
    insert = f"INSERT OR ABORT INTO {into.table.quoted} ({listed(loading.columns)}) SELECT {values} {chosen}"
    pair = f"FROM {STAGE} AS s CROSS JOIN {into.table.quoted} AS t WHERE {_match(into)}"
    return StageSql(
        create=create_sql(into),
        fill=fill_sql(into),
        absent=f"SELECT s.milepost_row FROM {STAGE} AS s WHERE s.state = {WAITING} AND NOT {exists}",
        present=f"SELECT s.milepost_row FROM {STAGE} AS s WHERE s.state = {WAITING} AND {exists}",
        choose=_choose(into),
        replace=f"UPDATE {STAGE} SET state = {REPLACED} WHERE state = {WAITING}",
        update=update,
        update_one=None if update is None else update + ONE,
        insert=(f"{insert} AND NOT {exists}" if upserts else insert) + " ORDER BY s.milepost_row",
        insert_one=insert + ONE,
        exists_one=f"SELECT 1 {pair}{ONE}",
        differs_one=None if differs is None else f"SELECT 1 {pair} AND {differs}{ONE}",
    )


def fill_sql(into: Into) -> str:
    """Put a row into the stage: its number, then its values."""
    return f"INSERT INTO {STAGE} VALUES (?, {WAITING}{', ?' * len(into.loading.columns)})"


def compare_sql(into: Into) -> str:
    """The staged rows that are not in the table as they are: their numbers, and whether the table has their key."""
    there = f"t.{quote(into.loading.key[0])} IS NOT NULL"
    differs = _differs(into)
    return (
        f"SELECT s.milepost_row, {there} FROM {STAGE} AS s LEFT JOIN {into.table.quoted} AS t ON {_match(into)}"
        f" WHERE NOT {there}{'' if differs is None else f' OR {differs}'} ORDER BY s.milepost_row"
    )


def values_sql(into: Into, names: Sequence[str]) -> str:
    """The staged rows that differ: their numbers, the table's values of these columns, and those of the stage."""
    staged = ", ".join(f"s.{_column(into, name)}" for name in names)
    return (
        f"SELECT s.milepost_row, {listed(names, of='t')}, {staged} FROM {STAGE} AS s"
        f" CROSS JOIN {into.table.quoted} AS t WHERE {_match(into)} AND {_differs(into)}"
    )


def orphans(into: Into, wanted: Wanted, state: int, *, in_table: bool) -> str:
    """The rows in that state whose parent is not there: their numbers, and the values that the parent should have.

    A parent in the same table may also be a row of the stage in that state, unless it must be ``in_table`` by now.
    """
    columns = [_column(into, name) for name in wanted.parent.columns]
    parts = list(zip(wanted.parent.key, wanted.collations, columns, strict=True))
    match = " AND ".join(f"p.{quote(key)} COLLATE {collation} = +s.{column}" for key, collation, column in parts)
    there = "".join(f" AND s.{column} IS NOT NULL" for column in columns)
    sql = (
        f"SELECT s.milepost_row, {', '.join(f's.{column}' for column in columns)} FROM {STAGE} AS s"
        f" LEFT JOIN main.{quote(wanted.parent.table)} AS p ON {match}"
        f" WHERE s.state = {state}{there} AND p.{quote(wanted.parent.key[0])} IS NULL"
    )
    if in_table or not wanted.itself or not set(wanted.parent.key) <= set(into.loading.columns):
        return sql
    return f"{sql} AND ({', '.join(_collated(parts))}) NOT IN ({_staged_keys(into, wanted, state)})"


def _staged_keys(into: Into, wanted: Wanted, state: int) -> str:
    keys = [_column(into, name) for name in wanted.parent.key]
    there = "".join(f" AND o.{key} IS NOT NULL" for key in keys)
    return f"SELECT {', '.join(f'o.{key}' for key in keys)} FROM {STAGE} AS o WHERE o.state = {state}{there}"


def _collated(parts: list[tuple[str, str, str]]) -> list[str]:
    return [f"s.{column} COLLATE {collation}" for _, collation, column in parts]


def _column(into: Into, name: str) -> str:
    return f"c{into.loading.columns.index(name)}"


def create_sql(into: Into) -> str:
    """Columns of the target's affinities, so that values become in the stage what they become in the table."""
    collations = dict(zip(into.loading.key, into.collations, strict=True))
    columns = [
        f"c{place} {into.table.affinity(name)} COLLATE {collations.get(name, BINARY)}"
        for place, name in enumerate(into.loading.columns)
    ]
    start = "milepost_row INTEGER PRIMARY KEY, state INTEGER NOT NULL"
    return f"CREATE TABLE {STAGE} ({', '.join([start, *columns])})"


def _match(into: Into) -> str:
    return " AND ".join(
        f"t.{quote(name)} COLLATE {collation} = +s.{_column(into, name)}"
        for name, collation in zip(into.loading.key, into.collations, strict=True)
    )


def _choose(into: Into) -> str:
    """Choose one waiting row of each key that has no chosen one yet: the first, or the last where the last wins."""
    key = ", ".join(_column(into, name) for name in into.loading.key)
    order = "DESC" if into.loading.last_wins else "ASC"
    ranked = (
        f"SELECT milepost_row, state, row_number() OVER"
        f" (PARTITION BY {key} ORDER BY state DESC, milepost_row {order}) AS place"
        f" FROM {STAGE} WHERE state IN ({WAITING}, {CHOSEN})"
    )
    first = f"SELECT milepost_row FROM ({ranked}) WHERE place = 1 AND state = {WAITING}"
    return f"UPDATE {STAGE} SET state = {CHOSEN} WHERE milepost_row IN ({first})"


def changeable(into: Into) -> list[str]:
    """The columns to update: not those of the key, unless two equal keys can be written differently."""
    if not into.adds:
        return [name for name in into.loading.columns if name not in into.loading.key]
    collations = dict(zip(into.loading.key, into.collations, strict=True))
    return [
        name for name in into.loading.columns if collations.get(name) != BINARY or into.table.affinity(name) == "BLOB"
    ]


def _differs(into: Into) -> str | None:
    """A value differs if its type or its bytes do: a collation, or 1 = 1.0, must not hide it."""
    names = changeable(into)
    if not names:
        return None
    pairs = [(f"t.{quote(name)}", f"s.{_column(into, name)}") for name in names]
    different = [f"{t} COLLATE BINARY IS NOT {s} OR typeof({t}) <> typeof({s})" for t, s in pairs]
    return f"({_any(different)})"


def _any(conditions: list[str]) -> str:
    """The conditions with OR, in halves: SQLite refuses a chain of them that is longer than its deepest expression."""
    if len(conditions) <= 2:
        return " OR ".join(conditions)
    half = len(conditions) // 2
    return f"({_any(conditions[:half])}) OR ({_any(conditions[half:])})"


def _update(into: Into) -> str | None:
    differs = _differs(into)
    if differs is None:
        return None
    settings = ", ".join(f"{quote(name)} = s.{_column(into, name)}" for name in changeable(into))
    return (
        f"UPDATE OR ABORT {into.table.quoted} AS t SET {settings} FROM {STAGE} AS s"
        f" WHERE s.state = {CHOSEN} AND {_match(into)} AND {differs}"
    )
