"""The proof that nothing was lost, doubled or changed, by plain SQL that knows neither Milepost nor the migration.

``expected.sql`` works out from the legacy database what must be in the new one, and which rows must have been rejected;
here that is compared with what is there, and with what the store says became of each row. The new database's ids may be
any: its rows are read with the numbers that their ids lead to, so that a row with a wrong parent is a wrong row.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from milepost.demo.folder import EXPECTED, LEGACY, NEW, shipped
from milepost.jobs.ledger import NO_ROWS, Counts, Entry, RejectedRow

# object: its legacy table, the condition of rows that are left out on purpose, the numbers that tell its rows apart
OBJECTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "customer": ("customers", "0", ("customer_no",)),
    "invoice": ("invoices", "0", ("invoice_no",)),
    "invoice_line_item": ("invoice_lines", "article IS NULL", ("invoice_no", "line_no")),
    "supplier": ("suppliers", "0", ("supplier_no",)),
    "purchase_order": ("orders", "0", ("order_no",)),
    "purchase_order_line_item": ("order_lines", "0", ("order_no", "line_no")),
}

# The rows of the new database without ids: each id is the number that it leads to, or NULL where it leads nowhere.
BY_NUMBERS = {
    "customer": "SELECT customer_no, name, email, country, since FROM new.customer",
    "invoice": """SELECT invoice_no, customer_no, issued_on, currency, total_cents
        FROM new.invoice LEFT JOIN new.customer USING (customer_id)""",
    "invoice_line_item": """SELECT invoice_no, line_no, article, description, quantity, unit_price_cents
        FROM new.invoice_line_item LEFT JOIN new.invoice USING (invoice_id)""",
    "supplier": "SELECT supplier_no, name, vat_no FROM new.supplier",
    "purchase_order": """SELECT order_no, supplier_no, ordered_on
        FROM new.purchase_order LEFT JOIN new.supplier USING (supplier_id)""",
    "purchase_order_line_item": """SELECT order_no, line_no, article, quantity, unit_price_cents
        FROM new.purchase_order_line_item LEFT JOIN new.purchase_order USING (order_id)""",
}

REASONS = {
    "parent": "parent not there",
    "duplicate": "key already there",
    "load": "refused by new.db",
}


@dataclass(frozen=True, kw_only=True)
class ObjectProof:
    """One object: what the store says (``counts``), and what plain SQL finds.

    ``missing``, ``doubled``, ``unexpected`` and ``different`` count rows of the new database against the expected ones.
    The digests are of all columns of all rows, in order.
    """

    object: str
    counts: Counts
    at_source: int
    left_out: int
    expected: int
    in_target: int
    missing: int
    doubled: int
    unexpected: int
    different: int
    digest: str
    expected_digest: str

    def faults(self) -> list[str]:
        """Everything that does not add up, in words; empty is proven."""
        counts = self.counts
        claims = (
            (self.missing == 0, f"{self.missing} rows are missing"),
            (self.doubled == 0, f"{self.doubled} rows are doubled"),
            (self.unexpected == 0, f"{self.unexpected} rows should not be there"),
            (self.different == 0, f"{self.different} rows differ"),
            (self.digest == self.expected_digest, "the content is not the expected one"),
            (self.in_target == self.expected, f"{self.in_target} rows where {self.expected} are expected"),
            (counts.read == self.at_source, f"{counts.read} rows read, {self.at_source} at the source"),
            (
                counts.read == counts.loaded + counts.unchanged + counts.filtered + counts.rejected,
                f"the counts do not add up: {counts}",
            ),
            (counts.loaded == self.in_target, f"{counts.loaded} rows said to be loaded, {self.in_target} are there"),
            (counts.filtered == self.left_out, f"{counts.filtered} rows left out where {self.left_out} are remarks"),
        )
        return [f"{self.object}: {fault}" for holds, fault in claims if not holds]


@dataclass(frozen=True, kw_only=True)
class RejectProof:
    """The rejects of one object for one reason: how many the store has, how many it must have, and how many
    of both are not the very same rows."""

    object: str
    reason: str
    rows: int
    expected: int
    wrong: int

    def faults(self) -> list[str]:
        found = f"{self.rows}, expected {self.expected}, {self.wrong} of them not the same rows"
        return [f"{self.object}: rejects because {self.reason}: {found}"] if self.wrong else []


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Everything compared. ``faults`` is empty when nothing was lost, doubled or changed."""

    objects: tuple[ObjectProof, ...]
    rejects: tuple[RejectProof, ...]
    ledger_faults: tuple[str, ...]

    @property
    def faults(self) -> list[str]:
        lists = [each.faults() for each in self.objects] + [each.faults() for each in self.rejects]
        return [fault for faults in lists for fault in faults] + [*self.ledger_faults]


def prove(
    folder: Path,
    counts: Mapping[str, Counts],
    rejects: Iterable[RejectedRow],
    ledgers: Mapping[str, Sequence[Entry]],
) -> Proof:
    """Compare legacy and new database in ``folder`` with each other, and with what the store says. Writes nothing."""
    with _both(folder) as connection:
        return Proof(
            objects=tuple(_object(connection, name, counts.get(name, NO_ROWS)) for name in OBJECTS),
            rejects=tuple(_rejects(connection, rejects)),
            ledger_faults=tuple(fault for path, entries in ledgers.items() for fault in ledger_faults(path, entries)),
        )


def ledger_faults(path: str, entries: Sequence[Entry]) -> list[str]:
    """Whether each committed batch begins where the one before it ended: no range twice, none left out."""
    faults = []
    low = None
    for number, entry in enumerate(entries, start=1):
        if entry.seq != number:
            faults.append(f"{path}: batch {entry.seq} stands where batch {number} is expected")
        if entry.low != low:
            faults.append(f"{path}: batch {entry.seq} begins after {entry.low}, the one before ended at {low}")
        low = entry.high
    return faults


@contextmanager
def _both(folder: Path) -> Iterator[sqlite3.Connection]:
    """The legacy database as main, the new one as ``new``, both read-only, with the expected rows worked out."""
    with closing(sqlite3.connect(_read_only(folder / LEGACY), uri=True, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS new", (_read_only(folder / NEW),))
        connection.executescript(shipped(EXPECTED))
        for name, query in BY_NUMBERS.items():
            connection.execute(f"CREATE TEMP TABLE moved_{name} AS {query}")
            key = ", ".join(OBJECTS[name][2])
            connection.execute(f"CREATE INDEX temp.moved_{name}_key ON moved_{name} ({key})")
        yield connection


def _read_only(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro"


def _object(connection: sqlite3.Connection, name: str, counts: Counts) -> ObjectProof:
    legacy, left_out, key = OBJECTS[name]
    columns = [row[1] for row in connection.execute(f"PRAGMA temp.table_info(expected_{name})")]
    same_key = " AND ".join(f"moved.{column} = due.{column}" for column in key)
    due, new = f"temp.expected_{name} AS due", f"temp.moved_{name} AS moved"

    def number(query: str) -> int:
        return int(connection.execute(query).fetchone()[0])

    in_target = number(f"SELECT count(*) FROM {new}")
    return ObjectProof(
        object=name,
        counts=counts,
        at_source=number(f"SELECT count(*) FROM main.{legacy}"),
        left_out=number(f"SELECT count(*) FROM main.{legacy} WHERE {left_out}"),
        expected=number(f"SELECT count(*) FROM {due}"),
        in_target=in_target,
        missing=number(f"SELECT count(*) FROM {due} WHERE NOT EXISTS (SELECT 1 FROM {new} WHERE {same_key})"),
        doubled=in_target - number(f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(key)} FROM {new})"),
        unexpected=number(f"SELECT count(*) FROM {new} WHERE NOT EXISTS (SELECT 1 FROM {due} WHERE {same_key})"),
        different=number(
            f"SELECT count(*) FROM {due} JOIN {new} ON {same_key} WHERE "
            + " OR ".join(f"due.{column} IS NOT moved.{column}" for column in columns)
        ),
        digest=_digest(connection, f"temp.moved_{name}", columns),
        expected_digest=_digest(connection, f"temp.expected_{name}", columns),
    )


def _digest(connection: sqlite3.Connection, table: str, columns: list[str]) -> str:
    names = ", ".join(columns)
    digest = hashlib.sha256()
    for row in connection.execute(f"SELECT {names} FROM {table} ORDER BY {names}"):
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _rejects(connection: sqlite3.Connection, rejects: Iterable[RejectedRow]) -> Iterator[RejectProof]:
    found = Counter((row.path, _why(row.stage, row.reason), json.dumps(row.key)) for row in rejects)
    due = Counter(
        (name, _why(stage, reason), json.dumps(json.loads(key)))
        for name, key, stage, reason in connection.execute("SELECT * FROM temp.expected_reject")
    )
    for name, reason in sorted({each[:2] for each in (*found, *due)}, key=lambda each: (_place(each[0]), each[1])):
        mine = Counter({each: number for each, number in found.items() if each[:2] == (name, reason)})
        theirs = Counter({each: number for each, number in due.items() if each[:2] == (name, reason)})
        yield RejectProof(
            object=name,
            reason=reason,
            rows=mine.total(),
            expected=theirs.total(),
            wrong=(mine - theirs).total() + (theirs - mine).total(),
        )


def _place(name: str) -> int:
    return list(OBJECTS).index(name) if name in OBJECTS else len(OBJECTS)


def _why(stage: str, reason: str) -> str:
    """The reason without the row's own value: what the engine and the database say is known by its stage."""
    return REASONS.get(stage) or reason.partition(":")[0]
