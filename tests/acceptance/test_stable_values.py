"""A run that resumes a killed one stamps rows with the same values; a wrong parameter is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from run_command import Outcome, begin, end, let_go, milepost

STAMPED = '''
import time
import uuid
from pathlib import Path

from milepost import Job, Migration, Table

crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db", batch_rows=50,
                parameters={"cutoff": "2026-01-01", "region": None})


@crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
def customer(row, cp):
    """Waits in its third batch as long as a file "hold" is there, at most a minute."""
    if row["no"] == 120 and Path("hold").exists():
        Path("reached").touch()
        end = time.monotonic() + 60
        while Path("hold").exists() and time.monotonic() < end:
            time.sleep(0.01)
    return {"no": row["no"], "region": cp.parameters["region"], "cutoff": crm.parameters["cutoff"],
            "stamp": cp.now.isoformat(), "once": cp.once("run", lambda: str(uuid.uuid4()))}


@crm.object(source=Table("customers", key="no"), target=Table("tried", key="no"))
def tried(row):
    return {"no": row["no"], crm.parameters["region"]: crm.parameters["cutoff"]}
'''

JOB = """
from milepost import Job

job = Job("month-end", store="sqlite:///month-end.db", parameters={"month": None, "size": "10"})


@job.step
def post(cp, region):
    print("posted", region, cp.parameters["month"], job.parameters["size"])
    if region == "APAC" and not cp.recovering:
        raise RuntimeError("no line")


@job.main
def main():
    for region in ("EMEA", "APAC"):
        post(region)
"""


@pytest.fixture
def company(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old, old:
        old.execute("CREATE TABLE customers (no INTEGER PRIMARY KEY)")
        old.executemany("INSERT INTO customers VALUES (?)", [(no,) for no in range(1, 301)])
    with closing(sqlite3.connect(tmp_path / "new.db")) as new, new:
        new.execute("CREATE TABLE customer (no INTEGER PRIMARY KEY, region, cutoff, stamp, once)")
        new.execute("CREATE TABLE tried (no INTEGER PRIMARY KEY, EU)")
    (tmp_path / "crm.py").write_text(STAMPED)
    (tmp_path / "month.py").write_text(JOB)
    return tmp_path


def stamps(company: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(company / "new.db")) as new:
        return new.execute(
            "SELECT region, cutoff, stamp, once, count(*), min(no) FROM customer GROUP BY 1, 2, 3, 4"
        ).fetchall()


def content(company: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in company.iterdir() if path.suffix == ".db"}


def test_a_resumed_run_stamps_what_the_killed_one_stamped(company: Path) -> None:
    process = begin(company, "run", "crm.py", "-p", "region=EU", "--parameter", "cutoff=2026-06-30")
    ((*before, rows, _),) = stamps(company)
    process.kill()
    end(process)
    let_go(company)
    assert (before[:2], rows) == (["EU", "2026-06-30"], 100)
    resumed = milepost(company, "run", "crm.py")
    assert resumed.status == 0, resumed.err
    assert stamps(company) == [(*before, 300, 1)]
    with closing(sqlite3.connect(company / "new.db")) as new:
        assert new.execute("SELECT EU, count(*) FROM tried GROUP BY 1").fetchall() == [("2026-06-30", 300)]
    again = milepost(company, "run", "crm.py", "-p", "region=EU")
    assert again.status == 0, again.err


MISTAKES = {
    "undeclared": (["-p", "region=EU", "-p", "cutof=x"], ["no parameter cutof", "Did you mean cutoff"]),
    "missing": ([], ["region", "-p region=VALUE"]),
    "a secret": (["-p", "region=postgresql://me:hunter2@host/db"], ["looks like a secret"]),
}


def refused(company: Path, *arguments: str) -> Outcome:
    """Run a command that must refuse without a change of any database."""
    before = content(company)
    ended = milepost(company, *arguments)
    assert ended.status == 2, ended.err
    assert "Traceback" not in ended.err
    assert "hunter2" not in ended.err
    assert content(company) == before
    return ended


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_parameter_is_refused_and_nothing_is_written(company: Path, mistake: str, command: str) -> None:
    options, said = MISTAKES[mistake]
    ended = refused(company, command, "crm.py", *options)
    for words in said:
        assert words in ended.err


@pytest.mark.parametrize("command", ["run", "plan"])
def test_another_value_than_the_pinned_one_is_refused_and_nothing_is_written(company: Path, command: str) -> None:
    assert milepost(company, "run", "crm.py", "-p", "region=EU").status == 0
    ended = refused(company, command, "crm.py", "-p", "region=US")
    assert "'US'" in ended.err
    assert "'EU'" in ended.err


def test_what_the_plan_tries_is_given_the_parameters(company: Path) -> None:
    good = milepost(company, "plan", "crm.py", "-p", "region=EU")
    assert good.status == 0, good.err
    ended = refused(company, "plan", "crm.py", "-p", "region=US")  # the table has a column for EU alone
    assert "tried has no column US" in ended.err


def test_a_parameter_that_is_read_while_the_file_is_loaded_is_not_taken_for_another(company: Path) -> None:
    with (company / "crm.py").open("a") as file:
        file.write('\nEARLY = crm.parameters["cutoff"]\n')
    assert milepost(company, "plan", "crm.py", "-p", "region=EU").status == 0
    ended = refused(company, "plan", "crm.py", "-p", "region=EU", "-p", "cutoff=later")
    assert "read before that was known" in ended.err


def test_a_job_of_own_steps_has_them_too(company: Path) -> None:
    assert "month" in refused(company, "run", "month.py").err
    assert not (company / "month-end.db").exists()
    first = milepost(company, "run", "month.py", "-p", "month=2026-10", "-p", "size=7")
    assert (first.status, first.out) == (1, "posted EMEA 2026-10 7\nposted APAC 2026-10 7\n")
    assert "'2026-11'" in refused(company, "run", "month.py", "-p", "month=2026-11").err
    second = milepost(company, "run", "month.py")
    assert (second.status, second.out) == (0, "posted APAC 2026-10 7\n"), second.err


def test_rows_that_come_later_are_stamped_like_the_first_ones(company: Path) -> None:
    """Those that a recheck finds below the position, and those that the catch-up finds beyond the end."""
    assert milepost(company, "run", "crm.py", "-p", "region=EU").status == 0
    with closing(sqlite3.connect(company / "old.db")) as old, old:
        old.executemany("INSERT INTO customers VALUES (?)", [(-1,), (1000,)])
    ended = milepost(company, "run", "crm.py", "--recheck")
    assert ended.status == 0, ended.err
    ((region, cutoff, _, _, rows, least),) = stamps(company)
    assert (region, cutoff, rows, least) == ("EU", "2026-01-01", 302, -1)
