"""A run that was taken over meets its successor's rows; it must not take them for its own mistake."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from milepost import Migration, Rows, Table
from milepost.errors import LeaseLost
from milepost.wiring.run import run


def test_rows_of_the_successor_are_no_duplicates_of_the_run_that_it_took_over(tmp_path: Path) -> None:
    target, store = tmp_path / "target.db", tmp_path / "store.db"
    with closing(sqlite3.connect(target)) as made:
        made.execute("CREATE TABLE item (no INTEGER PRIMARY KEY, writer TEXT)")

    def read(after: Any) -> Iterator[dict[str, Any]]:
        yield {"no": 1, "writer": "first"}
        with closing(sqlite3.connect(store)) as there, there:
            there.execute("UPDATE milepost_job SET epoch = epoch + 1")
        with closing(sqlite3.connect(target)) as there, there:
            there.execute("INSERT INTO item VALUES (2, 'successor')")
        yield {"no": 2, "writer": "first"}

    crm = Migration("crm", batch_rows=1, target=f"sqlite:///{target}", store=f"sqlite:///{store}")
    crm.object("item", source=Rows(read, key="no"), target=Table("item", key="no"))
    with pytest.raises(LeaseLost):
        run(crm)
