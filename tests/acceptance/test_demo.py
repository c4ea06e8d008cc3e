"""`milepost demo`, as people start it: it kills a run in the middle, resumes, and proves the result."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from milepost.demo.play import JOB, VICTIM
from milepost.jobs.lease import Run
from milepost.jobs.ledger import Entry
from milepost.jobs.state import Record, State
from milepost.wiring.open import open_store

ROWS = 12_000


def demo(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "milepost", "demo", str(folder), "--rows", str(ROWS), *options]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder after the demo, and what it showed."""
    folder = tmp_path_factory.mktemp("demo") / "milepost-demo"
    done = subprocess.run(demo(folder), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def store_of(folder: Path) -> tuple[list[Run], dict[str, Record], list[Entry]]:
    store = open_store(f"sqlite:///{folder / 'new.db'}", create=False)
    assert store is not None
    with closing(store):
        records = {record.path: record for record in store.checkpoints(JOB)}
        return store.runs(JOB), records, list(store.ledger(JOB, VICTIM))


def ask(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def running_in(folder: Path) -> list[int]:
    """The processes whose working folder this is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder.resolve():
                found.append(int(process.name))
        except OSError:  # it ended meanwhile, or is not ours to look at
            continue
    return found


def test_the_demo_proves_its_migration(played: tuple[Path, str]) -> None:
    _, shown = played
    assert "Proven: nothing was lost, nothing is doubled, nothing was changed." in shown
    assert "FAILED" not in shown


def test_the_first_run_really_was_killed_in_the_middle_of_invoice(played: tuple[Path, str]) -> None:
    folder, shown = played
    assert "kill -9. It is dead." in shown
    runs, records, ledger = store_of(folder)
    assert [run.outcome for run in runs] == [None, "complete"]
    assert records[VICTIM].state is State.COMPLETE
    assert records[VICTIM].attempt == 2
    assert records["customer"].attempt == 1
    assert {entry.epoch for entry in ledger} == {run.epoch for run in runs}


def test_both_runs_together_read_each_invoice_once(played: tuple[Path, str]) -> None:
    folder, _ = played
    _, _, ledger = store_of(folder)
    assert [(sum(entry.counts.read for entry in ledger),)] == ask(folder / "legacy.db", "SELECT count(*) FROM invoices")


def test_the_loaded_quantities_are_those_of_the_legacy_lines(played: tuple[Path, str]) -> None:
    """A sum over what moved, worked out here, by neither the migration nor the demo's own SQL."""
    folder, _ = played
    sums = "SELECT invoice_no, sum(quantity) FROM invoice_line_item JOIN invoice USING (invoice_id) GROUP BY 1"
    moved = dict(ask(folder / "new.db", sums))
    legacy: dict[object, int] = {}
    query = "SELECT inv_no, qty FROM invoice_lines WHERE article IS NOT NULL AND qty > 0 AND price GLOB '*[0-9]*'"
    for number, quantity in ask(folder / "legacy.db", query):
        key = str(number).strip()
        legacy[key] = legacy.get(key, 0) + int(str(quantity))
    invoices = {number for (number,) in ask(folder / "new.db", "SELECT invoice_no FROM invoice")}
    assert moved == {number: quantity for number, quantity in legacy.items() if number in invoices}


def test_the_new_database_made_the_ids_by_which_its_tables_refer_to_each_other(played: tuple[Path, str]) -> None:
    folder, _ = played
    same = "SELECT count(*) FROM {} WHERE CAST({} AS TEXT) = CAST({} AS TEXT)"
    for table, made, number in (
        ("customer", "customer_id", "customer_no"),
        ("invoice", "invoice_id", "invoice_no"),
        ("supplier", "supplier_id", "supplier_no"),
        ("purchase_order", "order_id", "order_no"),
    ):
        assert ask(folder / "new.db", same.format(table, made, number)) == [(0,)]
        (least, most, rows) = ask(folder / "new.db", f"SELECT min({made}), max({made}), count(*) FROM {table}")[0]
        assert (least, most) == (1, rows)


def test_no_loaded_row_lacks_its_parent(played: tuple[Path, str]) -> None:
    folder, _ = played
    assert ask(folder / "new.db", "PRAGMA foreign_key_check") == []


def test_the_commands_to_try_next_are_those_of_the_folder(played: tuple[Path, str]) -> None:
    folder, shown = played
    for words in ("status company.py", "rejects company.py", "run company.py", "verify", "rewind", "plan company.py"):
        assert words in shown
    assert {"company.py", "legacy.db", "new.db", "new.sql", "expected.sql"} <= {path.name for path in folder.iterdir()}


def test_comparing_as_the_demo_suggests_finds_no_difference(played: tuple[Path, str]) -> None:
    folder, _ = played
    done = subprocess.run(
        [sys.executable, "-m", "milepost", "verify", "company.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing differs" in done.stdout + done.stderr


def test_rewinding_as_the_demo_suggests_changes_nothing(played: tuple[Path, str]) -> None:
    folder, _ = played
    query = "SELECT * FROM purchase_order ORDER BY 1"
    before = ask(folder / "new.db", query)
    for words in (["rewind", "company.py", "purchase_order", "--yes"], ["run", "company.py"]):
        done = subprocess.run(
            [sys.executable, "-m", "milepost", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert ask(folder / "new.db", query) == before


def test_a_tampered_migration_is_told_loudly(tmp_path: Path) -> None:
    """The target loses a row behind the migration's back, right after it came: the demo must not call that proven."""
    spoil = "CREATE TRIGGER lose AFTER INSERT ON purchase_order WHEN new.order_no = 400007 BEGIN "
    spoil += "DELETE FROM purchase_order WHERE order_no = new.order_no; END;"
    code = (
        "import sys; from pathlib import Path; from milepost.demo import play\n"
        "shipped = play.shipped\n"
        f"play.shipped = lambda name: shipped(name) + ({spoil!r} if name == play.SCHEMA else '')\n"
        f"sys.exit(play.run_demo(Path({str(tmp_path / 'demo')!r}), rows={ROWS}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "THE PROOF FAILED" in done.stdout
    assert "purchase_order: 1 rows are missing" in done.stdout
    assert "Proven" not in done.stdout


def test_a_demo_that_could_not_kill_its_run_says_so(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from milepost.demo import play\n"
        "run_until = play.run_until\n"
        "play.run_until = lambda folder, arguments, enough: run_until(folder, arguments, lambda event: False)\n"
        f"sys.exit(play.run_demo(Path({str(tmp_path / 'demo')!r}), rows=5000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "THE DEMO FAILED: Invoice was always over before the kill" in done.stdout


def test_a_folder_that_is_not_the_demos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = subprocess.run(demo(tmp_path), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "was not made by the demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_demo_and_its_run(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "demo"
    command = [*demo(folder)[:-1], "60000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("customer: started"):
                break
        os.kill(process.pid, number)
        rest = process.stdout.read()
    assert process.returncode == 130, rest
    assert "Stopped." in rest
    assert running_in(folder) == []
