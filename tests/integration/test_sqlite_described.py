"""What a SQLite table does by itself is told before anything is written: its triggers, and the ids that it makes."""

import sqlite3
from pathlib import Path

from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.migration.description import Trigger


def describe(file: Path, script: str):
    connection = sqlite3.connect(file)
    connection.executescript(script)
    connection.close()
    target = SqliteTarget(f"sqlite:///{file}", name="t", key=("id",))
    try:
        return target.describe()
    finally:
        target.close()


def test_every_trigger_is_told_however_it_is_written(tmp_path: Path) -> None:
    described = describe(
        tmp_path / "new.db",
        """CREATE TABLE t (id INTEGER PRIMARY KEY, "after"); CREATE TABLE u (id);
           CREATE TRIGGER plain AFTER INSERT ON t BEGIN SELECT 'BEFORE DELETE'; END;
           CREATE TRIGGER IF NOT EXISTS [after update] before delete ON T BEGIN SELECT 1; END;
           CREATE TRIGGER main . "insert" /* AFTER */ -- AFTER
               uPdAtE OF "after" ON t WHEN new.id > 1 BEGIN SELECT 1; END;
           CREATE TRIGGER 'it''s' AFTER DELETE ON t BEGIN SELECT 1; END;
           CREATE TRIGGER another BEFORE INSERT ON u BEGIN SELECT 1; END""",
    )
    assert described.triggers == (
        Trigger(name="after update", events=frozenset({"delete"}), before=True),
        Trigger(name="insert", events=frozenset({"update"}), before=True),
        Trigger(name="it's", events=frozenset({"delete"})),
        Trigger(name="plain", events=frozenset({"insert"})),
    )


def test_a_table_without_triggers_has_none(tmp_path: Path) -> None:
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE c (t REFERENCES t ON DELETE CASCADE)"
    assert describe(tmp_path / "new.db", script).triggers == ()


def test_what_fills_itself_is_told_of_every_way_to_make_an_id(tmp_path: Path) -> None:
    ways = {
        "id INTEGER PRIMARY KEY": True,
        "id INTEGER PRIMARY KEY AUTOINCREMENT": True,
        "id INT PRIMARY KEY": False,
        "id INTEGER PRIMARY KEY DESC": False,
        "id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16)))": True,
        "id TEXT PRIMARY KEY": False,
    }
    for number, (ddl, fills) in enumerate(ways.items()):
        column = describe(tmp_path / f"{number}.db", f"CREATE TABLE t ({ddl}, v)").column("id")
        assert (ddl, column is not None and column.fills_itself) == (ddl, fills)
    described = describe(tmp_path / "without.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v) WITHOUT ROWID")
    column = described.column("id")
    assert column is not None
    assert (column.fills_itself, column.nullable, described.unique_keys) == (False, False, (frozenset({"id"}),))
