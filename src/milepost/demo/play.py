"""The demo: a legacy company, a migration that is killed in the middle, its recovery, and the proof."""

from __future__ import annotations

import shlex
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from milepost.clock import SystemClock
from milepost.demo import tell
from milepost.demo.child import Event, command, run_to_end, run_until, stop_on_terminate
from milepost.demo.dirt import find_dirt
from milepost.demo.folder import EXPECTED, LEGACY, MIGRATION, NEW, SCHEMA, claim, leave, remove_databases, shipped
from milepost.demo.generate import FEWEST_ROWS, Size, make_legacy
from milepost.demo.prove import OBJECTS, Proof, prove
from milepost.errors import MilepostError, PlanError
from milepost.jobs.lease import Run
from milepost.jobs.ledger import Entry
from milepost.jobs.state import Record, State
from milepost.jobs.store import Store
from milepost.wiring.open import open_store

ROWS = 300_000
SEED = 1
JOB = "company"
VICTIM = "invoice"
# How much of Invoice is committed when the run is killed. The later ones are for a machine so quick that it was over.
SHARES = (0.45, 0.2, 0.05)

COMPLETE, FAILED, INTERRUPTED = 0, 1, 130


class DemoFailed(MilepostError):
    """The demo did not show what it is there to show."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the store holds, read without writing."""

    runs: tuple[Run, ...]
    records: dict[str, Record]


def run_demo(folder: Path, *, rows: int | None = None, seed: int = SEED) -> int:
    """Play the demo in ``folder`` with about ``rows`` rows; its exit status.

    0: proven. 1: something was lost, doubled or changed, or a run failed. 130: stopped by Ctrl-C. Raises PlanError,
    nothing touched, for a folder that is not its own or for too few rows.
    """
    rows = ROWS if rows is None else rows
    if rows < FEWEST_ROWS:
        raise PlanError(
            f"{rows} rows are too few to be dirty in every way and interrupted in the middle",
            hint=f"Ask for at least {FEWEST_ROWS}.",
        )
    screen = tell.open_screen()
    try:
        with stop_on_terminate(), claim(folder):
            return _play(screen, folder, rows, seed)
    except KeyboardInterrupt:
        screen.show_cursor()
        tell.say(screen, "\nStopped. Nothing runs any more; the folder stays as it is.")
        return INTERRUPTED
    except DemoFailed as error:
        screen.show_cursor()
        tell.say(screen, f"\nTHE DEMO FAILED: {error}", "bold red")
        return FAILED


def _play(screen: Console, folder: Path, rows: int, seed: int) -> int:
    clock = SystemClock()
    began = clock.monotonic()
    _make_company(screen, folder, rows, seed)
    _run_and_kill(screen, folder)
    _look(screen, folder)
    _resume(screen, folder)
    proof = _prove(screen, folder)
    if proof.faults:
        return FAILED
    tell.act(screen, f"Try next ({clock.monotonic() - began:.0f} seconds so far)", "Everything is in the folder:")
    tell.show_next(screen, Path(shlex.quote(str(folder))), command(folder))
    return COMPLETE


def _make_company(screen: Console, folder: Path, rows: int, seed: int) -> None:
    tell.act(
        screen,
        "1. A company with an old database",
        f"{folder / LEGACY} is made from the seed {seed}. Customer > Invoice > InvoiceLineItem, and "
        "Supplier > PurchaseOrder > PurchaseOrderLineItem, as three offices left them after many years.",
    )
    remove_databases(folder)
    make_legacy(folder / LEGACY, rows=rows, seed=seed)
    batch = min(500, max(20, Size.of(rows).invoices // 100))
    texts = {
        MIGRATION: shipped("company.py.txt").replace("batch_rows=500", f"batch_rows={batch}"),
        SCHEMA: shipped(SCHEMA),
        EXPECTED: shipped(EXPECTED),
    }
    for name, text in texts.items():
        if kept := leave(folder, name, text):
            tell.say(screen, f"Your changed {name} is kept as {kept.name}.", "yellow")
    _make_target(folder)
    tell.show_dirt(screen, _sizes(folder), find_dirt(folder / LEGACY))


def _make_target(folder: Path) -> None:
    remove_databases(folder, NEW)
    with closing(sqlite3.connect(folder / NEW)) as connection:
        connection.executescript(shipped(SCHEMA))


def _sizes(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / LEGACY)) as connection:
        tables = (table for table, _, _ in OBJECTS.values())
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def _run_and_kill(screen: Console, folder: Path) -> None:
    tell.act(
        screen,
        "2. Moving it, until somebody pulls the plug",
        f"{folder / MIGRATION} says how a row of the old database becomes one of the new. "
        "The run is killed with SIGKILL in the middle of Invoice: no chance to tidy up, as in a power cut.",
    )
    invoices = _sizes(folder)[OBJECTS[VICTIM][0]]
    for share in SHARES:
        _make_target(folder)
        tell.show_command(screen, f"{command(folder)} run {MIGRATION}")
        enough = partial(_has_read, rows=int(invoices * share))
        status = run_until(folder, ("run", MIGRATION, "--json"), enough)
        screen.show_cursor()
        if status not in (0, -signal.SIGKILL):
            raise DemoFailed(f"the run ended by itself with exit status {status}; what it wrote above says why")
        if _is_half_done(_seen(folder), invoices):
            tell.say(screen, "\nkill -9. It is dead.", "bold red")
            return
        tell.say(screen, "\nThis machine is so quick that Invoice was over before the kill. Once more, earlier.")
    raise DemoFailed("Invoice was always over before the kill reached the run; ask for more rows")


def _has_read(event: Event, rows: int) -> bool:
    """Whether Invoice has committed batches of at least so many rows."""
    committed = event.get("event") == "batch_committed" and event.get("path") == VICTIM
    return committed and int(event["counts"]["read"]) >= rows


def _is_half_done(seen: Seen, invoices: int) -> bool:
    record = seen.records.get(VICTIM)
    return record is not None and record.state is State.STARTED and 0 < record.counts.read < invoices


def _look(screen: Console, folder: Path) -> None:
    record = _seen(folder).records[VICTIM]
    tell.act(
        screen,
        "3. What the store says",
        "The store lives in the new database: each batch and its checkpoint were one commit, so they cannot disagree.",
    )
    tell.show_command(screen, f"{command(folder)} status {MIGRATION}")
    if run_to_end(folder, ("status", MIGRATION)) != 0:
        raise DemoFailed("milepost status could not be shown")
    with closing(sqlite3.connect(folder / NEW)) as connection:
        held = connection.execute(f"SELECT count(*) FROM {VICTIM}").fetchone()[0]
    tell.say(
        screen,
        f"\nInvoice: {record.batches} batches are committed, {record.counts.read:,} rows read, "
        f"{record.counts.loaded:,} of them loaded.\nPlain SQL counts {held:,} in the table. "
        "Whatever the batch in the air at the kill had written is gone.",
    )
    if held != record.counts.loaded:
        raise DemoFailed(f"the store says {record.counts.loaded} rows of Invoice, the table holds {held}")


def _resume(screen: Console, folder: Path) -> None:
    before = _seen(folder).records[VICTIM]
    tell.act(
        screen,
        "4. The same command again",
        "It sees that it is recovering, skips what is complete, and goes on behind the last committed batch.",
    )
    tell.show_command(screen, f"{command(folder)} run {MIGRATION}")
    status = run_to_end(folder, ("run", MIGRATION))
    if status != 0:
        raise DemoFailed(f"the second run ended with exit status {status}; what it wrote above says why")
    seen = _seen(folder)
    outcomes = [run.outcome for run in seen.runs]
    if outcomes != [None, "complete"]:
        raise DemoFailed(f"the store should hold a killed and a complete run, and holds {outcomes}")
    after = seen.records[VICTIM]
    tell.say(
        screen,
        f"\nInvoice took {after.attempt} attempts. The second read {after.counts.read - before.counts.read:,} rows; "
        f"the {before.counts.read:,} before were not touched again.",
    )


def _prove(screen: Console, folder: Path) -> Proof:
    tell.act(
        screen,
        "5. The proof",
        f"{folder / EXPECTED} works out from the old database, in plain SQL, what the new one must hold. "
        "It knows neither Milepost nor company.py.",
    )
    with closing(_store(folder)) as store:
        records = {record.path: record for record in store.checkpoints(JOB)}
        proof = prove(
            folder,
            counts={path: record.counts for path, record in records.items()},
            rejects=store.rejects(JOB),
            ledgers={path: _ledger(store, path) for path in OBJECTS},
        )
    tell.show_proof(screen, proof)
    return proof


def _ledger(store: Store, path: str) -> list[Entry]:
    return list(store.ledger(JOB, path))


def _seen(folder: Path) -> Seen:
    with closing(_store(folder)) as store:
        return Seen(
            runs=tuple(store.runs(JOB)),
            records={record.path: record for record in store.checkpoints(JOB)},
        )


def _store(folder: Path) -> Store:
    """The store, to be read. Raises DemoFailed where the run left none."""
    store = open_store(f"sqlite:///{(folder / NEW).resolve()}", create=False)
    if store is None:
        raise DemoFailed(f"{folder / NEW} holds no store: the run did not begin")
    return store
