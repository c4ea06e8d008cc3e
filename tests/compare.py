"""Compare two SELECTs in the database's own SQL, so that neither side has been through Milepost."""

import hashlib
from dataclasses import dataclass
from typing import Any

SHOWN = 5


@dataclass(frozen=True)
class Content:
    """What a SELECT holds: how many rows, and a digest over all of them in order."""

    rows: int
    digest: str


def differences(connection: Any, expected: str, actual: str) -> dict[str, list[Any]]:
    """Some rows that only one of two SELECTs has; empty when neither has one."""
    found = {
        "missing": connection.execute(f"SELECT * FROM ({expected}) AS e EXCEPT SELECT * FROM ({actual}) AS a"),
        "extra": connection.execute(f"SELECT * FROM ({actual}) AS a EXCEPT SELECT * FROM ({expected}) AS e"),
    }
    return {side: rows for side, cursor in found.items() if (rows := cursor.fetchmany(SHOWN))}


def sqlite_content(connection: Any, select: str, order: str) -> Content:
    """Count and digest in SQLite: each value with its type, so that 1, 1.0 and '1' differ."""
    digest, rows = hashlib.sha256(), 0
    for rows, row in enumerate(connection.execute(f"SELECT * FROM ({select}) ORDER BY {order}"), start=1):  # noqa: B007
        digest.update(repr(row).encode())
    return Content(rows, digest.hexdigest())


def postgres_content(connection: Any, select: str, order: str) -> Content:
    """Count and digest in PostgreSQL, by the server."""
    rows, digest = connection.execute(
        f"SELECT count(*), md5(string_agg(md5(e::text), '' ORDER BY {order})) FROM ({select}) AS e"
    ).fetchone()
    return Content(rows, digest)
