"""The disk is full, wherever that strikes: the run stops at its last checkpoint, says so, and resumes exactly."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fix_databases import Database
from milepost import Migration, Table
from milepost.databases import sqlite as opening
from milepost.errors import Fatal
from milepost.stores import sqlite as storing
from milepost.wiring.open import open_store
from milepost.wiring.run import run
from run_command import arrived_rows, command, expected_rows, make_company, milepost

ROWS = 200


def make_source(folder: Path) -> str:
    source = Database(f"sqlite:///{folder / 'old.db'}")
    source.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT)")
    source.insert("numbers", [(n, "x" * 400) for n in range(1, ROWS + 1)])
    return source.url


def migration(source: str, target: str, store: str | None = None) -> Migration:
    crm = Migration("crm", source=source, target=target, store=store, batch_rows=20)
    crm.object("number", source=Table("numbers", key="n"), target=Table("number", key="n"))
    return crm


def what_ends(job: Migration) -> Fatal | None:
    """What a run of it ends with; None when it is complete."""
    try:
        run(job)
    except Fatal as error:
        return error
    return None


def expected() -> list[tuple[Any, ...]]:
    return [(n, "x" * 400) for n in range(1, ROWS + 1)]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the pages that a SQLite store's file may have: SQLite itself says SQLITE_FULL."""
    most = 2**30

    def connect(*args: Any, **settings: Any) -> sqlite3.Connection:
        connection = opening.connect(*args, **settings)
        connection.execute(f"PRAGMA max_page_count = {most}")
        return connection

    def at_most(pages: int) -> None:
        nonlocal most
        most = pages

    monkeypatch.setattr(storing, "connect", connect)
    return at_most


@pytest.mark.parametrize("outside", [False, True], ids=["with the target", "outside"])
def test_a_full_disk_on_a_sqlite_store_stops_the_run_wherever_it_strikes(
    tmp_path: Path, limit: Callable[[int], None], outside: bool
) -> None:
    source = make_source(tmp_path)
    last = 0
    for pages in range(4, 200):
        target = Database(f"sqlite:///{tmp_path / f'{pages}.db'}")
        target.execute("CREATE TABLE number (n INTEGER PRIMARY KEY, text TEXT)")
        store = f"sqlite:///{tmp_path / f'{pages}-store.db'}" if outside else None
        limit(pages)
        failure = what_ends(migration(source, target.url, store))
        if failure is None:
            last = pages
        else:
            assert "full" in failure.message, pages
            assert "Make room" in (failure.hint or ""), pages
        held = target.rows("SELECT n, text FROM number ORDER BY n")
        assert held == expected()[: len(held)], pages
        assert len(held) % 20 == 0, pages
        limit(2**30)
        run(migration(source, target.url, store))
        assert target.rows("SELECT n, text FROM number ORDER BY n") == expected(), pages
        if last:
            break
    assert last >= 10  # it struck at each page more that the run needed


@pytest.mark.parametrize("pages", [0, 1, 10, 20])
def test_a_file_that_may_not_grow_stops_the_command_and_it_resumes(tmp_path: Path, pages: int) -> None:
    """A quota, as the system says it: the write itself fails. Before the run has begun, too, it is no wrong usage."""
    make_company(tmp_path)
    size = 4096 * pages

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(
        command("run", "crm.py"),
        cwd=tmp_path,
        check=False,
        timeout=60,
        preexec_fn=small,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "new.db" in done.stderr
    assert "check the disk" in done.stderr
    again = milepost(tmp_path, "run", "crm.py")
    assert again.status == 0, again.err
    assert arrived_rows(tmp_path) == expected_rows(tmp_path)


FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END $$;
"""


@pytest.mark.parametrize(
    ("table", "when", "kept"),
    [
        ("number", "new.n = 50", 40),
        ("milepost.ledger", "new.seq = 3", 40),
        ("milepost.checkpoint", "new.path = 'number' AND new.state = 'complete'", ROWS),
        ("milepost.checkpoint", "new.path = 'number'", 0),
        ("milepost.value", "new.path = 'number'", 0),
    ],
)
def test_a_full_disk_on_postgres_stops_the_run_wherever_it_strikes(
    tmp_path: Path, postgres_url: str, table: str, when: str, kept: int
) -> None:
    source, target = make_source(tmp_path), Database(postgres_url)
    target.execute("CREATE TABLE number (n integer PRIMARY KEY, text text)", FULL)
    store = open_store(postgres_url, create=True)  # so that there are its tables, to put a trigger on
    assert store is not None
    store.close()
    trigger = f"BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION full_disk()"
    target.execute(f"CREATE TRIGGER full_disk {trigger}")

    with pytest.raises(Fatal, match=r"(?i:no space left|disk .* full)") as failed:
        run(migration(source, postgres_url))
    assert "room" in (failed.value.hint or "")
    assert len(target.rows("SELECT n FROM number")) == kept

    target.execute(f"DROP TRIGGER full_disk ON {table}")
    run(migration(source, postgres_url))
    assert target.rows("SELECT n, text FROM number ORDER BY n") == expected()


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize("full", ["stdout", "stderr", "both"])
def test_a_log_that_is_full_does_not_stop_the_job(tmp_path: Path, full: str, json: bool) -> None:
    make_company(tmp_path)
    with Path("/dev/full").open("wb") as device:
        streams = {name: device if full in {name, "both"} else subprocess.PIPE for name in ("stdout", "stderr")}
        arguments = ["run", "crm.py", *(["--json"] if json else [])]
        done = subprocess.run(command(*arguments), cwd=tmp_path, check=False, timeout=60, **streams)
    assert done.returncode == 0, done.stderr
    assert arrived_rows(tmp_path) == expected_rows(tmp_path)
    if json and full == "stdout":
        assert b"standard output takes no more (No space left on device)" in done.stderr
