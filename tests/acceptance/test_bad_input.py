"""A mistake is answered by the command with what is wrong, where, and what to do; nothing is written."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

GOOD = """
    from milepost import Migration, Table

    crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db")

    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
    def customer(row):
        return {"no": row["no"], "name": row["name"]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("CREATE TABLE customers (no INTEGER PRIMARY KEY, name TEXT, region TEXT, code TEXT)")
        old.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", [(1, "a", "x", None), (2, "b", "x", "c")])
    old.close()
    with sqlite3.connect(tmp_path / "new.db") as new:
        new.execute("CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT)")
        new.execute("CREATE TABLE loose (no INTEGER, name TEXT)")
    new.close()
    return tmp_path


def milepost(folder: Path, *arguments: str, text: str = GOOD) -> subprocess.CompletedProcess[str]:
    (folder / "crm.py").write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, "-m", "milepost", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix in {".db", ".lease"}  # beside a WAL file SQLite itself opens two more
    }


MISTAKES = {
    "a missing source table": ('Table("customers"', 'Table("custmers"', ["custmers", "customers"]),
    "a missing target table": ('Table("customer", key="no")', 'Table("client", key="no")', ["client"]),
    "a missing key column": ('"customers", key="no"', '"customers", key="nmbr"', ["customers", "nmbr"]),
    "a missing target column": ('"name": row["name"]}', '"nam": row["name"]}', ["customer", "nam", "name"]),
    "a key that holds NULL": ('"customers", key="no"', '"customers", key="code"', ["customers", "code", "NULL"]),
    "a key that is there twice": ('"customers", key="no"', '"customers", key="region"', ["customers", "region", "x"]),
    "a target without a unique index": ('Table("customer"', 'Table("loose"', ["loose", "unique"]),
    "a wrong source URL": ("sqlite:///old.db", "oracle://here/db", ["oracle"]),
    "a source file that is not there": ("sqlite:///old.db", "sqlite:///gone.db", ["gone.db"]),
    "a target file that is not there": ("sqlite:///new.db", "sqlite:///gone.db", ["gone.db"]),
    "an environment variable that is not set": ("sqlite:///old.db", "sqlite:///${NOWHERE}", ["NOWHERE"]),
    "a list of tuples": (
        'return {"no": row["no"], "name": row["name"]}',
        'return [(row["no"], row["name"])]',
        ["customer", "list of tuple", "dict"],
    ),
    "a key that the function does not give": ('"no": row["no"], ', "", ["customer", "no", "key"]),
    "an id that is not there": ('customer", key="no")', 'customer", key="no", id="id")', ["customer has no column id"]),
    "an id that nothing makes": ('customer", key="no")', 'customer", key="no", id="name")', ["customer.name itself"]),
    "a columnar function": ('customer", key="no"))', 'customer", key="no"), takes="polars")', ["polars", "yet"]),
    "a store that forgets": ('new.db"', 'new.db", store="memory://"', ["store in memory", "store="]),
    "no number of rejects": ('new.db"', 'new.db", max_rejects="some"', ["max_rejects"]),
}  # fmt: skip


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_plan_that_cannot_work_is_refused(folder: Path, mistake: str, command: str) -> None:
    right, wrong, named = MISTAKES[mistake]
    assert right in textwrap.dedent(GOOD), "the sample has changed"
    before = contents(folder)
    ended = milepost(folder, command, "crm.py", text=GOOD.replace(right, wrong))
    assert ended.returncode == 2, ended.stderr
    for word in named:
        assert word in ended.stderr
    assert "Traceback" not in ended.stderr
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("print('hello')", "crm.py"),
        ("def broken(:", "crm.py"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_file_that_is_no_migration_is_refused(folder: Path, text: str, named: str) -> None:
    before = contents(folder)
    ended = milepost(folder, "run", "crm.py", text=text)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "src/milepost" not in ended.stderr
    assert contents(folder) == before


@pytest.mark.parametrize("command", ["plan", "status", "rejects", "run"])
def test_a_file_that_runs_its_job_when_it_is_read_runs_nothing(folder: Path, command: str) -> None:
    before = contents(folder)
    ended = milepost(folder, command, "crm.py", text=GOOD + "\n    crm.run()\n")
    assert ended.returncode == 2
    assert "__main__" in ended.stderr
    assert contents(folder) == before


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    ended = milepost(folder, "run", "gone.py")
    assert (ended.returncode, "gone.py" in ended.stderr) == (2, True)


def test_a_store_that_is_none_is_refused_and_left_alone(folder: Path) -> None:
    with sqlite3.connect(folder / "new.db") as new:
        new.execute("CREATE TABLE milepost_checkpoint (mine TEXT)")
    new.close()
    before = contents(folder)
    ended = milepost(folder, "run", "crm.py")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "new.db" in ended.stderr
    assert contents(folder) == before


def test_a_target_that_is_no_database_is_refused_and_left_alone(folder: Path) -> None:
    (folder / "new.db").write_text("this is a letter, not a database\n" * 100)
    before = contents(folder)
    ended = milepost(folder, "run", "crm.py")
    assert ended.returncode == 2
    assert "new.db" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert contents(folder) == before


def test_a_half_done_object_whose_function_changed_is_refused_with_what_changed(folder: Path) -> None:
    one_by_one = GOOD.replace('new.db"', 'new.db", batch_rows=1')
    failing = one_by_one.replace('return {"no"', '[0][row["no"] - 1]; return {"no"')
    assert milepost(folder, "run", "crm.py", text=failing).returncode == 1
    before = contents(folder)
    ended = milepost(folder, "run", "crm.py")
    assert ended.returncode == 2
    assert "customer is half done" in ended.stderr
    assert "--accept-changed customer" in ended.stderr
    assert contents(folder) == before
    assert milepost(folder, "run", "crm.py", "--accept-changed", "customer").returncode == 0


def test_a_server_that_cannot_be_reached_is_told_without_the_password(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"postgresql://me:hush-hush@127.0.0.1:{port}/db"
    before = contents(folder)
    for side in ("--source", "--target"):
        ended = milepost(folder, "run", "crm.py", side, url)
        assert ended.returncode in {1, 2}
        assert str(port) in ended.stderr
        assert "hush" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
    assert contents(folder) == before


@pytest.mark.parametrize(
    "url", ["postgresql://me:hush-hush@", "postgresql://me:hush-hush@host:port/db", "me:hush-hush@x"]
)
def test_a_url_that_cannot_be_parsed_is_told_without_the_password(folder: Path, url: str) -> None:
    for option in ("--source", "--target", "--store"):
        ended = milepost(folder, "run", "crm.py", option, url)
        assert ended.returncode in {1, 2}  # the first of them means a server on this machine, which may not be there
        assert "hush" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_missing_extra_is_told_with_the_line_to_type(folder: Path) -> None:
    (folder / "psycopg.py").write_text("raise ImportError('not here')")
    for side in ("--source", "--target"):
        ended = milepost(folder, "run", "crm.py", side, "postgresql://me:hush-hush@127.0.0.1/db")
        assert ended.returncode == 2
        assert "pip install 'milepost[postgres]'" in ended.stderr
        assert "hush" not in ended.stderr


def test_the_password_is_nowhere(folder: Path, postgres_url: str) -> None:
    """Not in what any command prints, nor in any table that Milepost writes, even when things go wrong."""
    password = postgres_url.partition("milepost:")[2].partition("@")[0]
    with psycopg.connect(postgres_url) as new:
        new.execute("CREATE TABLE customer (no integer PRIMARY KEY, name text CHECK (name <> 'b'))")
    text = GOOD.replace("sqlite:///new.db", "${TARGET}")
    printed = ""
    for arguments in (
        ["plan", "crm.py"],
        ["run", "crm.py"],
        ["run", "crm.py", "--json"],
        ["status", "crm.py"],
        ["status", "crm.py", "--json"],
        ["rejects", "crm.py"],
        ["run", "crm.py", "--target", postgres_url.replace("/test", "/no_test")],
        ["run", "crm.py", "--target", postgres_url.replace(password, f"{password}x")],
    ):
        (folder / "crm.py").write_text(textwrap.dedent(text))
        ended = subprocess.run(
            [sys.executable, "-m", "milepost", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "TARGET": postgres_url},
        )
        printed += ended.stdout + ended.stderr
    assert "check" in printed.lower()  # the run did fail on the row
    assert password not in printed
    with psycopg.connect(postgres_url) as new:
        tables = new.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'milepost'")
        names = [name for (name,) in tables]
        assert names
        for name in names:
            rows = new.execute(f"SELECT t::text FROM milepost.{name} t".encode()).fetchall()
            assert not any(password in row for (row,) in rows)
