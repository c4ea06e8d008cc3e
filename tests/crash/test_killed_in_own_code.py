"""Killed with SIGKILL inside the user's own code: before, between and after the objects, and inside a rollback."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from fix_databases import Database, Pair
from run_command import Outcome, milepost

ROWS = 60

PROGRAM = '''
import os
import signal
from pathlib import Path

from milepost import Migration, Table

crm = Migration("crm", source={source!r}, target={target!r}, batch_rows=10)


def at(place):
    """Leaves a trace; dies here, once, if the file "die" names the place."""
    with open("traces", "a") as traces:
        traces.write(place + "\\n")
    die = Path("die")
    if die.exists() and die.read_text() == place:
        die.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def target():
    if {target!r}.startswith("sqlite"):
        import sqlite3
        return sqlite3.connect({target!r}.removeprefix("sqlite:///"))
    import psycopg
    return psycopg.connect({target!r})


@crm.before
def prepare():
    at("before begins")
    at("before ends")


@crm.object(source=Table("numbers", key="n"), target=Table("number", key="n"))
def number(row):
    if row["n"] == 45 and Path("stumble").exists():
        Path("stumble").unlink()
        raise OSError("no luck")
    return row


@number.rollback
def undo(cp):
    at("rollback begins")
    connection = target()
    connection.execute("DELETE FROM number WHERE n <= 20")
    connection.commit()
    at("rollback half done")
    connection.execute("DELETE FROM number")
    connection.commit()
    connection.close()
    at("rollback ends")


@crm.step(after=number)
def between(cp):
    at("between begins")
    cp.once("half", lambda: 1)
    at("between ends")


crm.object("letter", source=Table("letters", key="n"), target=Table("letter", key="n"))


@crm.after
def finish(cp):
    at("after begins")
    at("after ends")
'''

PLACES = {
    f"{step} {moment}": step for step in ("before", "between", "after") for moment in ("begins", "ends")
} | dict.fromkeys(("rollback begins", "rollback half done", "rollback ends"), "rollback")


@pytest.fixture(params=["sqlite", "postgres"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    url = f"sqlite:///{tmp_path / 'new.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    pair = Pair(Database(f"sqlite:///{tmp_path / 'old.db'}"), Database(url))
    for database, names in ((pair.source, ("numbers", "letters")), (pair.target, ("number", "letter"))):
        database.execute(*(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY)" for name in names))
    for name in ("numbers", "letters"):
        pair.source.insert(name, [(n,) for n in range(ROWS)])
    (tmp_path / "crm.py").write_text(PROGRAM.format(source=pair.source.url, target=url))
    return pair


def run(folder: Path) -> Outcome:
    return milepost(folder, "run", "crm.py")


@pytest.mark.parametrize("place", PLACES)
def test_a_run_killed_there_ends_right_when_it_is_run_again(pair: Pair, tmp_path: Path, place: str) -> None:
    if PLACES[place] == "rollback":  # it runs only before what was half done is done again
        (tmp_path / "stumble").touch()
        assert run(tmp_path).status == 1
        assert len(pair.target.rows("SELECT n FROM number")) == 40
    (tmp_path / "die").write_text(place)
    assert run(tmp_path).status == -signal.SIGKILL

    again = run(tmp_path)

    assert again.status == 0, again.err
    for name in ("number", "letter"):
        assert pair.target.rows(f"SELECT n FROM {name} ORDER BY n") == [(n,) for n in range(ROWS)]
    traces = Counter((tmp_path / "traces").read_text().splitlines())
    for step in ("before", "between", "after", "rollback"):
        times = 2 if PLACES[place] == step else 0 if step == "rollback" else 1
        assert traces[f"{step} begins"] == times, traces
        assert traces[f"{step} ends"] == (2 if place == f"{step} ends" else min(times, 1)), traces
    last = run(tmp_path)
    assert "complete already" in last.err
    assert Counter((tmp_path / "traces").read_text().splitlines()) == traces
