"""What the README shows runs as it stands."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_there_are_a_migration_a_sink_a_job_and_a_crash_test() -> None:
    assert len(BLOCKS) == 4


def two_databases(folder: Path) -> None:
    old = sqlite3.connect(folder / "legacy.db")
    old.executescript("""
        CREATE TABLE customers (cust_no INTEGER PRIMARY KEY, name TEXT, email TEXT, changed_at TEXT);
        CREATE TABLE invoices (inv_no INTEGER PRIMARY KEY, cust_no INTEGER, total INTEGER);
        CREATE TABLE currencies (iso TEXT PRIMARY KEY, title TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
            INSERT INTO customers
            SELECT i, ' Name ' || i, CASE i WHEN 7 THEN NULL ELSE 'N' || i || '@X' END, '2026-01-01' FROM n;
        INSERT INTO invoices SELECT 1000 + cust_no, cust_no, cust_no * 2 FROM customers;
        INSERT INTO currencies VALUES ('EUR', 'Euro'), ('INR', 'Rupee');
    """)
    old.close()
    new = sqlite3.connect(folder / "new.db")
    new.executescript("""
        CREATE TABLE customer (
            customer_id INTEGER PRIMARY KEY, legacy_no INTEGER NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL
        );
        CREATE TABLE invoice (
            invoice_id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE,
            customer_id INTEGER NOT NULL REFERENCES customer, total INTEGER NOT NULL
        );
        CREATE TABLE currency (code TEXT PRIMARY KEY, name TEXT NOT NULL);
    """)
    new.close()


def test_the_migration_moves_its_rows_and_rejects_what_it_says(tmp_path: Path) -> None:
    two_databases(tmp_path)
    (tmp_path / "crm.py").write_text(BLOCKS[0])
    for command in ("plan", "run", "status", "verify"):
        ended = python(tmp_path, "-m", "milepost", command, "crm.py", "--target", "sqlite:///new.db")
        assert ended.returncode == 0, ended.stderr
    new = sqlite3.connect(tmp_path / "new.db")
    assert new.execute("SELECT count(*), min(name), min(email) FROM customer").fetchone() == (199, "Name 1", "n100@x")
    whose = "SELECT count(*), sum(total) FROM invoice JOIN customer USING (customer_id) WHERE number = 1000 + legacy_no"
    assert new.execute(whose).fetchone() == (199, sum(range(201)) * 2 - 14)
    assert new.execute("SELECT * FROM currency").fetchall() == [("EUR", "Euro"), ("INR", "Rupee")]
    new.close()


AROUND_THE_SINK = """
import sqlite3, sys
from uuid import uuid4
from milepost import Migration, Table

class Api:
    def __init__(self):
        self.rows = sqlite3.connect("api.db", isolation_level=None)
        self.rows.execute("CREATE TABLE IF NOT EXISTS sent (id, request)")
    def knows(self, request):
        return self.rows.execute("SELECT 1 FROM sent WHERE request = ?", [request]).fetchone() is not None
    def upsert(self, rows, request):
        self.rows.executemany("INSERT INTO sent VALUES (?, ?)", [(row["id"], request) for row in rows])
        if rows[0]["id"] == 3 and "once" in sys.argv:
            raise RuntimeError("the answer was lost")

crm_api = Api()
"""
MIGRATION_WITH_THE_SINK = """
crm = Migration("crm", source="sqlite:///legacy.db", batch_rows=2)
crm.object("contact", source=Table("people", key="id"), target=contacts)
crm.run()
"""


def test_the_sink_sends_a_range_again_only_where_it_did_not_arrive(tmp_path: Path) -> None:
    legacy = sqlite3.connect(tmp_path / "legacy.db")
    legacy.executescript("CREATE TABLE people (id INTEGER PRIMARY KEY); INSERT INTO people VALUES (1), (2), (3), (4);")
    legacy.close()
    (tmp_path / "sink.py").write_text(AROUND_THE_SINK + BLOCKS[1] + MIGRATION_WITH_THE_SINK)
    first, second = python(tmp_path, "sink.py", "once"), python(tmp_path, "sink.py")
    assert (first.returncode, second.returncode) == (1, 0), first.stderr + second.stderr
    api = sqlite3.connect(tmp_path / "api.db")
    assert api.execute("SELECT id FROM sent ORDER BY id").fetchall() == [(1,), (2,), (3,), (4,)]
    api.close()


def test_the_job_runs_and_is_not_run_again(tmp_path: Path) -> None:
    given = """
def read(region, after):
    return [{"id": number} for number in range((after or 0) + 1, 1201)]


def send(batch):
    print("sent", len(batch))


if __name__"""
    (tmp_path / "close.py").write_text(BLOCKS[2].replace("\nif __name__", given))
    first, second = (python(tmp_path, "close.py") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.split("\n")[:-1] == ["sent 500", "sent 500", "sent 200"] * 2
    assert second.stdout == ""


def test_the_crash_test_passes_on_the_migration_of_the_readme(tmp_path: Path) -> None:
    two_databases(tmp_path)
    (tmp_path / "crm.py").write_text(BLOCKS[0].replace("postgresql://localhost/crm", "sqlite:///new.db"))
    conftest, test = BLOCKS[3].split("# test_crm.py\n")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_crm.py").write_text(test)
    ended = python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_crm.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout


@pytest.mark.parametrize("name", re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8")))
def test_what_it_links_to_is_there(name: str) -> None:
    assert (README.parent / name).exists()
