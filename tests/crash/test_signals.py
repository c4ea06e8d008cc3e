"""SIGTERM, once, twice and in showers: while rows are loaded, inside a long COPY, inside a user's own step."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from fix_databases import Database
from milepost.clock import SystemClock
from run_command import (
    arrived_rows,
    begin,
    command,
    end,
    expected_rows,
    let_go,
    make_company,
    milepost,
    wait_for,
)

STEP = '''

@crm.before
def prepare(cp):
    """Waits as long as a file "wait" is there."""
    with open("prepared", "a") as file:
        file.write("begun\\n")
    while Path("wait").exists():
        time.sleep(0.01)
    with open("prepared", "a") as file:
        file.write("ended\\n")
'''

COPY = """
from milepost import Migration, Table

crm = Migration("crm", source={source!r}, target={target!r}, batch_rows=100)
crm.object("number", source=Table("numbers", key="n"), target=Table("number", key="n"))
"""

SLOW = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF new.n > 100 THEN PERFORM pg_sleep(0.02); END IF; RETURN new; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON number FOR EACH ROW EXECUTE FUNCTION slow();
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_company(tmp_path)
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command("run", "crm.py"), cwd=folder, text=True, **streams)


def until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    clock = SystemClock()
    latest = clock.monotonic() + 60
    while not what():
        assert process.poll() is None, process.communicate()
        assert clock.monotonic() < latest
        clock.sleep(0.01)


def test_a_step_is_let_end_and_the_run_stops_behind_it(folder: Path) -> None:
    (folder / "crm.py").write_text((folder / "crm.py").read_text() + STEP)
    (folder / "wait").touch()
    process = start(folder)
    wait_for(folder / "prepared", process)
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    until(lambda: "stopping" in process.stderr.readline(), process)  # type: ignore[union-attr]
    (folder / "wait").unlink()
    stopped = end(process)
    assert stopped.status == 130, stopped.err
    assert arrived_rows(folder) == ([], [])

    assert milepost(folder, "run", "crm.py").status == 0
    assert (folder / "prepared").read_text().split() == ["begun", "ended"]
    assert arrived_rows(folder) == expected_rows(folder)


def test_a_second_signal_ends_a_step_at_once_and_it_runs_again(folder: Path) -> None:
    (folder / "crm.py").write_text((folder / "crm.py").read_text() + STEP)
    (folder / "wait").touch()
    process = start(folder)
    wait_for(folder / "prepared", process)
    process.send_signal(signal.SIGTERM)
    until(lambda: "stopping" in process.stderr.readline(), process)  # type: ignore[union-attr]
    process.send_signal(signal.SIGTERM)
    stopped = end(process)
    assert stopped.status == 130, stopped.err
    assert milepost(folder, "status", "crm.py", "--json").document["runs"][0]["outcome"] == "interrupted"
    (folder / "wait").unlink()

    assert milepost(folder, "run", "crm.py").status == 0
    assert (folder / "prepared").read_text().split() == ["begun", "begun", "ended"]
    assert arrived_rows(folder) == expected_rows(folder)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_long_copy_is_let_end_by_one_signal_and_cut_off_by_two(
    tmp_path: Path, postgres_url: str, signals: int
) -> None:
    source, target = Database(f"sqlite:///{tmp_path / 'old.db'}"), Database(postgres_url)
    source.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    source.insert("numbers", [(n,) for n in range(1, 401)])
    target.execute("CREATE TABLE number (n integer PRIMARY KEY)", SLOW)
    (tmp_path / "crm.py").write_text(COPY.format(source=source.url, target=postgres_url))
    process = start(tmp_path)
    with psycopg.connect(postgres_url, autocommit=True) as looking:
        query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND state = 'active' AND query LIKE 'COPY%%' AND wait_event = 'PgSleep'"""
        until(lambda: looking.execute(query).fetchone() == (1,), process)
        for number in range(signals):
            process.send_signal(signal.SIGTERM)
            if number == 0:
                until(lambda: "stopping" in process.stderr.readline(), process)  # type: ignore[union-attr]
        stopped = end(process)
        assert looking.execute(query).fetchone() == (0,)

    assert stopped.status == 130, stopped.err
    assert len(target.rows("SELECT n FROM number")) == (200 if signals == 1 else 100)
    target.execute("DROP TRIGGER slow ON number")
    assert milepost(tmp_path, "run", "crm.py").status == 0
    assert target.rows("SELECT n FROM number ORDER BY n") == [(n,) for n in range(1, 401)]


def test_showers_of_signals_lose_nothing(folder: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance, clock, statuses = random.Random(seed), SystemClock(), set()
    for _ in range(8):
        process = begin(folder, "run", "crm.py") if not statuses else start(folder)
        let_go(folder)
        clock.sleep(chance.uniform(0, 0.4))
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            clock.sleep(chance.uniform(0, 0.01))
        statuses.add(end(process).status)
    assert statuses <= {0, 130, -signal.SIGTERM}, statuses
    assert milepost(folder, "run", "crm.py").status == 0
    assert arrived_rows(folder) == expected_rows(folder)
