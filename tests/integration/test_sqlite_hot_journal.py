"""A SQLite file whose writer was killed in the middle of a transaction, and left its journal beside it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from milepost.databases.sqlite import connect_read_only

KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=2")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE item SET text = upper(text)")  # more than the cache holds: the file itself is written to
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_half_done_is_undone_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "items.db"
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("CREATE TABLE item (text TEXT)")
        made.executemany("INSERT INTO item VALUES (?)", [("a" * 500,)] * 200)
    whole = file.read_bytes()

    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert file.read_bytes() != whole
    with closing(connect_read_only(file)) as connection:
        assert connection.execute("SELECT DISTINCT text FROM item").fetchall() == [("a" * 500,)]
    assert file.read_bytes() == whole
