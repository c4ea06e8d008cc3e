"""The triggers of a table: SQLite keeps their text only, so it is read."""

from __future__ import annotations

import re
import sqlite3

from milepost.migration.description import Trigger

TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|\s+"""  # what does not count
    r"""|(?P<token>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|\w+|.)""",
    re.DOTALL,
)
EVENTS = frozenset({"INSERT", "UPDATE", "DELETE"})


def triggers_of(connection: sqlite3.Connection, name: str) -> tuple[Trigger, ...]:
    """The triggers of the table, in order of their names."""
    rows = connection.execute(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY name",
        (name,),
    )
    return tuple(_trigger(each, sql) for each, sql in rows)


def _trigger(name: str, sql: str) -> Trigger:
    """SQLite writes CREATE TRIGGER and the name; BEFORE is what it means where neither that nor AFTER is written."""
    words = [each["token"] for each in TOKEN.finditer(sql) if each["token"]]
    rest = [word.upper() for word in words[3:]]
    event = next(place for place, word in enumerate(rest) if word in EVENTS)
    return Trigger(name=name, events=frozenset({rest[event].lower()}), before="AFTER" not in rest[:event])
