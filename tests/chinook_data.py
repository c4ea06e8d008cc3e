"""A record shop's two databases, many tables of which refer to each other: what is in the old one is made here.

In the new one every table makes its own ids. What it must come to is said by joins over the natural keys.
"""

from __future__ import annotations

import re
from typing import Any

from fix_databases import Database, Pair
from milepost.migration.migration import Migration
from milepost.migration.table import Table

SOURCE = (
    "CREATE TABLE artists (no INTEGER PRIMARY KEY, name TEXT)",
    "CREATE TABLE albums (no INTEGER PRIMARY KEY, title TEXT, artist INTEGER)",
    "CREATE TABLE tracks (no INTEGER PRIMARY KEY, name TEXT, album INTEGER)",
    "CREATE TABLE playlists (code VARCHAR(9) PRIMARY KEY, name TEXT)",
    "CREATE TABLE playlist_tracks (playlist VARCHAR(9), track INTEGER, PRIMARY KEY (playlist, track))",
    "CREATE TABLE staff (no INTEGER PRIMARY KEY, name TEXT, reports_to INTEGER, dept VARCHAR(9))",
    "CREATE TABLE depts (code VARCHAR(9) PRIMARY KEY, name TEXT, head INTEGER)",
)
ARTISTS = [(no, f"Artist {no}") for no in range(500, 520)]
ALBUMS = [(no, f"Album {no}", 500 + no * 7 % 20) for no in range(100, 140)]
TRACKS = [(no, f"Track {no}", None if no % 9 == 0 else 100 + no * 11 % 40) for no in range(3000, 3090)]
PLAYLISTS = [(f"p{no:02}", f"Playlist {no}") for no in range(12)]
PLAYLIST_TRACKS = [(f"p{no:02}", track) for no in range(12) for track in range(3000 + no, 3090, 7)]
# Most report to somebody with a higher number, who comes later; one to himself, two to each other, two to nobody.
STAFF = [(no, f"Name {no}", min(no + 1 + no % 4, 49), f"d{no % 4}" if no % 5 else None) for no in range(10, 47)]
STAFF += [(47, "Alone", 47, "d1"), (48, "Pair", 49, "d2"), (49, "Other", 48, "d3"), (50, "Chief", None, "d0")]
DEPTS = [("d0", "Board", 50), ("d1", "Sales", 11), ("d2", "IT", None), ("d3", "Stock", 10)]


BROKEN: set[int] = set()  # staff at whom the function fails for once


def ids(database: Database) -> tuple[str, str]:
    """How a column makes ids, and what type refers to one."""
    if database.url.startswith("sqlite"):
        return "INTEGER PRIMARY KEY AUTOINCREMENT", "INTEGER"
    return "BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 7000) PRIMARY KEY", "BIGINT"


def make(database: Database, *tables: str) -> None:
    """Make tables in which ID stands for what makes an id, and REF for what refers to one."""
    makes, ref = ids(database)
    database.execute(*(re.sub(r"\bREF\b", ref, re.sub(r"\bID\b", makes, table)) for table in tables))


def target_ddl(database: Database, department: str = "") -> list[str]:
    """The new shop's tables. ``department`` "NOT NULL": every employee must have one."""
    makes, ref = ids(database)
    sqlite = database.url.startswith("sqlite")
    statements = [
        f"CREATE TABLE artist (id {makes}, legacy_no INTEGER NOT NULL UNIQUE, name TEXT)",
        (
            f"CREATE TABLE album (id {makes}, legacy_no INTEGER NOT NULL UNIQUE, title TEXT,"
            f" artist_id {ref} NOT NULL REFERENCES artist)"
        ),
        f"CREATE TABLE track (id {makes}, legacy_no INTEGER UNIQUE, name TEXT, album_id {ref} REFERENCES album)",
        f"CREATE TABLE playlist (id {makes}, code VARCHAR(9) NOT NULL UNIQUE, name TEXT)",
        (
            f"CREATE TABLE playlist_track (playlist_id {ref} REFERENCES playlist, track_id {ref} REFERENCES track,"
            " PRIMARY KEY (playlist_id, track_id))"
        ),
        (
            f"CREATE TABLE department (id {makes}, code VARCHAR(9) NOT NULL UNIQUE, name TEXT,"
            f" head_id {ref}{' REFERENCES employee' if sqlite else ''})"
        ),
        (
            f"CREATE TABLE employee (id {makes}, legacy_no INTEGER NOT NULL UNIQUE, name TEXT,"
            f" manager_id {ref} REFERENCES employee, department_id {ref} {department} REFERENCES department)"
        ),
    ]
    if not sqlite:
        statements.append("ALTER TABLE department ADD FOREIGN KEY (head_id) REFERENCES employee")
    return statements


def fill(pair: Pair, department: str = "") -> None:
    """Make both databases, and fill the old one."""
    pair.source.execute(*SOURCE)
    tables = {
        "artists": ARTISTS,
        "albums": ALBUMS,
        "tracks": TRACKS,
        "playlists": PLAYLISTS,
        "playlist_tracks": PLAYLIST_TRACKS,
        "staff": STAFF,
        "depts": DEPTS,
    }
    for name, rows in tables.items():
        pair.source.insert(name, rows)
    pair.target.execute(*target_ddl(pair.target, department))


def migration(pair: Pair, **settings: Any) -> Migration:
    """Children name their parents by natural keys; the ids are the target's own."""
    shop = Migration("shop", source=pair.source.url, target=pair.target.url, **({"batch_rows": 10} | settings))

    @shop.object(
        source=Table("playlist_tracks", key=("playlist", "track")),
        target=Table("playlist_track", key=("playlist_id", "track_id")),
        parents={"playlist_id": "playlist", "track_id": "track"},  # both are declared further down
    )
    def playlist_track(row):
        return {"playlist_id": row["playlist"], "track_id": row["track"]}

    @shop.object(source=Table("artists", key="no"), target=Table("artist", key="legacy_no", id="id"))
    def artist(row):
        return {"legacy_no": row["no"], "name": row["name"]}

    @shop.object(
        source=Table("albums", key="no"),
        target=Table("album", key="legacy_no", id="id"),
        parents={"artist_id": artist},
    )
    def album(row):
        return {"legacy_no": row["no"], "title": row["title"], "artist_id": row["artist"]}

    shop.object(
        "track",
        source=Table("tracks", key="no"),
        target=Table("track", key="legacy_no", id="id"),
        columns={"legacy_no": "no", "name": "name", "album_id": "album"},
        parents={"album_id": album},
    )
    shop.object("playlist", source=Table("playlists", key="code"), target=Table("playlist", key="code", id="id"))

    @shop.object(
        source=Table("staff", key="no"),
        target=Table("employee", key="legacy_no", id="id"),
        parents={"manager_id": "self", "department_id": "department"},
    )
    def employee(row):
        if row["no"] in BROKEN:
            raise ValueError("not today")
        return {
            "legacy_no": row["no"],
            "name": row["name"],
            "manager_id": row["reports_to"],
            "department_id": row["dept"],
        }

    @shop.object(
        source=Table("depts", key="code"),
        target=Table("department", key="code", id="id"),
        parents={"head_id": employee},
    )
    def department(row):
        return {"code": row["code"], "name": row["name"], "head_id": row["head"]}

    return shop


# What is asked of the old database, and of the new one, and must be the same.
SAME = {
    "artist": ("SELECT no, name FROM artists", "SELECT legacy_no, name FROM artist"),
    "album": (
        "SELECT no, title, artist FROM albums",
        "SELECT a.legacy_no, a.title, p.legacy_no FROM album a JOIN artist p ON p.id = a.artist_id",
    ),
    "track": (
        "SELECT no, name, album FROM tracks",
        "SELECT t.legacy_no, t.name, a.legacy_no FROM track t LEFT JOIN album a ON a.id = t.album_id",
    ),
    "playlist": ("SELECT code, name FROM playlists", "SELECT code, name FROM playlist"),
    "playlist_track": (
        "SELECT playlist, track FROM playlist_tracks",
        (
            "SELECT p.code, t.legacy_no FROM playlist_track pt"
            " LEFT JOIN playlist p ON p.id = pt.playlist_id LEFT JOIN track t ON t.id = pt.track_id"
        ),
    ),
    "employee": (
        "SELECT no, name, reports_to, dept FROM staff",
        (
            "SELECT e.legacy_no, e.name, m.legacy_no, d.code FROM employee e"
            " LEFT JOIN employee m ON m.id = e.manager_id LEFT JOIN department d ON d.id = e.department_id"
        ),
    ),
    "department": (
        "SELECT code, name, head FROM depts",
        "SELECT d.code, d.name, e.legacy_no FROM department d LEFT JOIN employee e ON e.id = d.head_id",
    ),
}


def differences(pair: Pair) -> dict[str, tuple[set[Any], set[Any]]]:
    """For each table that is not as it should be: what is missing, and what is there besides."""
    found = {}
    for name, (old, new) in SAME.items():
        expected, actual = pair.source.rows(old), pair.target.rows(new)
        assert len(set(actual)) == len(actual), name
        if set(expected) != set(actual):
            found[name] = (set(expected) - set(actual), set(actual) - set(expected))
    return found


def all_rows(pair: Pair) -> dict[str, list[Any]]:
    """Every row of the new database with its ids."""
    return {name: sorted(pair.target.rows(f"SELECT * FROM {name}"), key=repr) for name in SAME}
