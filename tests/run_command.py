"""Run the command as people and programs do, in a folder with a small company of two SQLite databases."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milepost.clock import SystemClock

SECONDS = 60

CRM = '''
import time
from pathlib import Path

from milepost import Migration, Reject, Table

crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db", batch_rows=50, max_rejects=20)


@crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
def customer(row):
    if row["email"] is None:
        raise Reject("email has no @")
    return row


@crm.object(source=Table("invoices", key="no"), target=Table("invoice", key="no"), parents={"customer_no": customer})
def invoice(row):
    """Waits in its third batch as long as a file "hold" is there, at most a minute: no test leaves it for ever."""
    if row["no"] == 120 and Path("hold").exists():
        Path("reached").touch()
        end = time.monotonic() + 60
        while Path("hold").exists() and time.monotonic() < end:
            time.sleep(0.01)
    return None if row["total"] == 0 else row
'''


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; raises if anything else is there."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        (document,) = self.documents
        return document


def make_company(folder: Path) -> None:
    """40 customers, of whom 2 have no e-mail; 300 invoices, of which 10 have total 0 and 16 a rejected customer."""
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        old.execute("CREATE TABLE customers (no INTEGER PRIMARY KEY, email TEXT)")
        old.execute("CREATE TABLE invoices (no INTEGER PRIMARY KEY, customer_no INTEGER, total INTEGER)")
        emails = [(no, None if no in {7, 8} else f"c{no}@example.org") for no in range(1, 41)]
        old.executemany("INSERT INTO customers VALUES (?, ?)", emails)
        invoices = [(no, no % 40 + 1, 0 if no % 30 == 1 else no) for no in range(1, 301)]
        old.executemany("INSERT INTO invoices VALUES (?, ?, ?)", invoices)
    with closing(sqlite3.connect(folder / "new.db")) as new, new:
        new.execute("CREATE TABLE customer (no INTEGER PRIMARY KEY, email TEXT NOT NULL)")
        new.execute("CREATE TABLE invoice (no INTEGER PRIMARY KEY, customer_no INTEGER, total INTEGER)")
    (folder / "crm.py").write_text(CRM, encoding="utf-8")


def expected_rows(folder: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What must arrive, said in SQL on the source."""
    with closing(sqlite3.connect(folder / "old.db")) as old:
        customers = old.execute("SELECT no, email FROM customers WHERE email IS NOT NULL ORDER BY no").fetchall()
        invoices = old.execute(
            "SELECT i.no, customer_no, total FROM invoices i JOIN customers c ON c.no = customer_no"
            " WHERE email IS NOT NULL AND total <> 0 ORDER BY i.no"
        ).fetchall()
    return customers, invoices


def arrived_rows(folder: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What the target holds."""
    with closing(sqlite3.connect(folder / "new.db")) as new:
        customers = new.execute("SELECT no, email FROM customer ORDER BY no").fetchall()
        return customers, new.execute("SELECT no, customer_no, total FROM invoice ORDER BY no").fetchall()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "milepost", *arguments]


def typed(*arguments: str) -> str:
    """The command as it says itself that it was started: Python by its path, unless the shell finds it by name."""
    python, name = sys.executable, Path(sys.executable).name
    return " ".join([name if shutil.which(name) == python else python, "-m", "milepost", *arguments])


def milepost(folder: Path, *arguments: str, **environment: str) -> Outcome:
    """Run ``milepost …`` to its end, with no terminal anywhere."""
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ``milepost …`` and return when the held invoice is reached."""
    (folder / "reached").unlink(missing_ok=True)
    (folder / "hold").touch()
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(folder / "reached", process)
    return process


def wait_for(file: Path, process: subprocess.Popen[Any]) -> None:
    """Return when the file is there; fail if the process ends before."""
    end = time.monotonic() + SECONDS
    while not file.exists():
        assert process.poll() is None, f"it ended with {process.returncode}: {process.communicate()}"
        assert time.monotonic() < end, f"{file.name} did not come"
        SystemClock().sleep(0.01)


def end(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a process that was begun."""
    out, err = process.communicate(timeout=SECONDS)
    return Outcome(process.returncode, out, err)


def let_go(folder: Path) -> None:
    (folder / "hold").unlink(missing_ok=True)
