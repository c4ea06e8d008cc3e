"""The SQL of staged loading.

What is executed with parameters goes through ``with_parameters``: psycopg would take a % in a name for a placeholder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from milepost.connectors.sql.postgres.relation import Relation
from milepost.migration.description import Column, Kind
from milepost.migration.target import Loading

ROW = sql.Identifier("milepost_row")
RANGE = sql.SQL("s.milepost_row BETWEEN %(low)s AND %(high)s AND s.milepost_row <> ALL (%(out)s::integer[])")
SOME = sql.SQL("s.milepost_row = ANY (%(some)s::integer[])")
AS_TEXT = {Kind.FLOAT, Kind.INTERVAL, Kind.JSON, Kind.ARRAY, Kind.OTHER}
"""Kinds that have no equality, or one for which different values are equal: -0 and 0, 1 month and 30 days."""


class Statements:
    """The statements that bring one object's batches from its stage into its table."""

    def __init__(
        self, stage: sql.Identifier, relation: Relation, columns: tuple[Column, ...], loading: Loading
    ) -> None:
        self.stage = stage
        self.target = relation.identifier
        self.has_index = relation.has_index(loading.key)
        self.others = [each for each in columns if each.name not in loading.key]
        self.key = loading.key
        self.names = listed(loading.columns)

    def make(self) -> sql.Composed:
        """The stage: the target's columns with their types, none of its constraints."""
        return sql.SQL(
            "CREATE TEMP TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS"
            " AS SELECT 0::integer AS milepost_row, {} FROM {} WITH NO DATA"
        ).format(self.stage, self.names, self.target)

    def fill(self) -> sql.Composed:
        return sql.SQL("COPY {} (milepost_row, {}) FROM STDIN").format(self.stage, self.names)

    def forget(self) -> sql.Composed:
        """Takes the rows' indexes."""
        return sql.SQL("DELETE FROM {} WHERE milepost_row = ANY (%s::integer[])").format(self.stage)

    def groups(self) -> sql.Composed:
        """The rows that share their key with others, and the first of each such group."""
        return sql.SQL(
            "SELECT milepost_row, first FROM (SELECT milepost_row, min(milepost_row) OVER same AS first,"
            " count(*) OVER same AS size FROM {} WINDOW same AS (PARTITION BY {})) AS g WHERE size > 1"
        ).format(self.stage, listed(self.key))

    def doubles(self) -> sql.Composed:
        """One row if staged rows share a key, otherwise none."""
        return sql.SQL("SELECT FROM {} GROUP BY {} HAVING count(*) > 1 LIMIT 1").format(self.stage, listed(self.key))

    def insert(self, which: sql.SQL = RANGE) -> sql.Composed:
        """Insert the rows of a range, or others."""
        return sql.SQL(
            "INSERT INTO {} AS milepost_target ({}) OVERRIDING SYSTEM VALUE"
            " SELECT {} FROM {} AS s WHERE {} ORDER BY s.milepost_row"
        ).format(self.target, self.names, self.names, self.stage, which)

    def insert_new(self, which: sql.SQL = RANGE) -> sql.Composed:
        """Insert those of the rows whose key is not there."""
        return sql.SQL("{} ON CONFLICT ({}) DO NOTHING").format(self.insert(which), listed(self.key))

    def insert_and_tell(self) -> sql.Composed:
        """Insert likewise; gives the rows that were not inserted, and whether their key was there before."""
        keys = self._same_key()
        return sql.SQL(
            "WITH inserted AS ({} RETURNING {}) SELECT s.milepost_row, EXISTS (SELECT FROM {} AS t WHERE {})"
            " FROM {} AS s WHERE {} AND NOT EXISTS (SELECT FROM inserted AS t WHERE {})"
        ).format(
            self.insert_new(),
            self._written_key(),
            self.target,
            keys,
            self.stage,
            RANGE,
            keys,
        )

    def upsert(self) -> sql.Composed:
        """Insert the rows of a range, or update those that are there and really differ."""
        if not self.others:
            return self.insert_new()
        return sql.SQL("{} WHERE {}").format(self._write(RANGE), self._differ("milepost_target", "excluded"))

    def upsert_and_tell(self) -> sql.Composed:
        """Upsert likewise; gives the number of rows written, and the others whose like the table did not hold before.

        Such a row was kept out, or a trigger gave it values that the table did hold.
        """
        unlike = sql.SQL(" AND NOT {}").format(self._differ("t", "s")) if self.others else sql.SQL("")
        return sql.SQL(
            "WITH written AS ({} RETURNING {}) SELECT (SELECT count(*) FROM written),"
            " ARRAY(SELECT s.milepost_row FROM {} AS s WHERE {} AND NOT EXISTS (SELECT FROM written AS t WHERE {})"
            " AND NOT EXISTS (SELECT FROM {} AS t WHERE {}{}))"
        ).format(
            self.upsert(),
            self._written_key(),
            self.stage,
            RANGE,
            self._same_key(),
            self.target,
            self._same_key(),
            unlike,
        )

    def kept_out(self) -> sql.Composed:
        """Write some rows whether they differ or not; gives those that were not written even so."""
        return sql.SQL(
            "WITH written AS ({} RETURNING {}) SELECT s.milepost_row FROM {} AS s"
            " WHERE {} AND NOT EXISTS (SELECT FROM written AS t WHERE {}) ORDER BY s.milepost_row"
        ).format(
            self._write(SOME) if self.others else self.insert_new(SOME),
            self._written_key(),
            self.stage,
            SOME,
            self._same_key(),
        )

    def update_and_tell(self) -> sql.Composed:
        """Update the rows of a range that are there and really differ; gives one row.

        That is the number of rows updated, those that are not there, and those that were kept out.
        """
        return sql.SQL(
            "WITH written AS ({}), met AS (SELECT s.milepost_row, {} AS is_missing, {} AS differs"
            " FROM {} WHERE {}) SELECT (SELECT count(*) FROM written),"
            " ARRAY(SELECT milepost_row FROM met WHERE is_missing),"
            " ARRAY(SELECT milepost_row FROM met WHERE NOT is_missing AND differs"
            " AND NOT EXISTS (SELECT FROM written AS w WHERE w.milepost_row = met.milepost_row))"
        ).format(
            self._update() if self.others else sql.SQL("SELECT 0 AS milepost_row LIMIT 0"),
            self.is_missing(),
            self.differs(),
            self._met(),
            RANGE,
        )

    def compare(self) -> sql.Composed:
        """The staged rows that are not there, or differ; whether they are missing."""
        return sql.SQL("SELECT s.milepost_row, {} FROM {} WHERE {} OR {}").format(
            self.is_missing(), self._met(), self.is_missing(), self.differs()
        )

    def tell(self, columns: Sequence[Column]) -> sql.Composed:
        """Of some rows that are there: in which of the columns they differ, the table's values, and the stage's."""
        differ = sql.SQL(", ").join(
            sql.SQL("{} IS DISTINCT FROM {}").format(_comparable("t", each), _comparable("s", each)) for each in columns
        )
        values = (sql.Identifier(table, each.name) for table in ("t", "s") for each in columns)
        return sql.SQL("SELECT s.milepost_row, ARRAY[{}], {} FROM {} WHERE {} AND NOT {} ORDER BY 1").format(
            differ, sql.SQL(", ").join(values), self._met(), SOME, self.is_missing()
        )

    def _met(self) -> sql.Composed:
        """Staged rows, each beside the row that has its key."""
        if not self.has_index:
            return sql.SQL("{} AS s LEFT JOIN {} AS t ON {}").format(self.stage, self.target, self._same_key())
        # The index is to be used for each row, as an upsert does: the table may be far larger than a batch.
        return sql.SQL("{} AS s LEFT JOIN LATERAL (SELECT {} FROM {} AS t WHERE {} LIMIT 1) AS t ON true").format(
            self.stage, self.names, self.target, self._same_key()
        )

    def is_missing(self) -> sql.Composed:
        """Whether no row ``t`` was joined: one that was has the key."""
        return sql.SQL("({} IS NULL)").format(sql.Identifier("t", self.key[0]))

    def differs(self) -> sql.Composable:
        """Whether the rows ``t`` and ``s`` really differ."""
        return self._differ("t", "s") if self.others else sql.SQL("false")

    def alike(self) -> sql.Composed:
        """Those of some rows that the table holds already, with the same values."""
        like = sql.SQL(" AND NOT {}").format(self._differ("t", "s")) if self.others else sql.SQL("")
        return sql.SQL(
            "SELECT s.milepost_row FROM {} AS s WHERE {} AND EXISTS (SELECT FROM {} AS t WHERE {}{})"
        ).format(self.stage, SOME, self.target, self._same_key(), like)

    def _update(self) -> sql.Composed:
        return sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE {} AND {} AND {} RETURNING s.milepost_row").format(
            self.target,
            sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(each.name)) for each in self.others),
            self.stage,
            RANGE,
            self._same_key(),
            self._differ("t", "s"),
        )

    def _write(self, which: sql.SQL) -> sql.Composed:
        """Insert rows, or update those that are there."""
        return sql.SQL("{} ON CONFLICT ({}) DO UPDATE SET {}").format(
            self.insert(which),
            listed(self.key),
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(each.name)) for each in self.others),
        )

    def _differ(self, one: str, other: str) -> sql.Composed:
        return sql.SQL("(({}) IS DISTINCT FROM ({}))").format(
            *(sql.SQL(", ").join(_comparable(table, each) for each in self.others) for table in (one, other))
        )

    def _same_key(self) -> sql.Composed:
        return equal("t", self.key, "s", self.key)

    def _written_key(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier("milepost_target", name) for name in self.key)


def listed(names: Iterable[str]) -> sql.Composed:
    """The names, quoted, with commas."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def with_parameters(query: sql.Composable) -> sql.Composed:
    """The statement with every % in its names doubled, as psycopg wants it where parameters go along."""
    if isinstance(query, sql.Composed):
        return sql.Composed([with_parameters(each) for each in query])
    if isinstance(query, sql.Identifier):
        return sql.Composed([sql.SQL(query.as_string(None).replace("%", "%%"))])
    return sql.Composed([query])


def equal(one: str, names: tuple[str, ...], other: str, other_names: tuple[str, ...]) -> sql.Composed:
    """The condition that columns of one table (an alias) equal those of another one."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(one, name), sql.Identifier(other, other_name))
        for name, other_name in zip(names, other_names, strict=True)
    )


def _comparable(table: str, column: Column) -> sql.Composed:
    """The column in a form in which only equal values are equal."""
    name = sql.Identifier(table, column.name)
    if column.kind in AS_TEXT or (column.kind is Kind.DECIMAL and column.scale is None):
        return sql.SQL("{}::text").format(name)
    if column.kind is Kind.TEXT:
        return sql.SQL('{} COLLATE "C"').format(name)
    return sql.SQL("{}").format(name)
