"""Scratch copies of PostgreSQL databases, on the same server, and what they hold."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from milepost.clock import SystemClock
from milepost.databases.postgres import connect
from milepost.errors import Fatal, MilepostError, PlanError

TABLES = """
    SELECT n.nspname, c.relname, array_agg(a.attname ORDER BY a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'milepost') AND n.nspname NOT LIKE 'pg_toast%'
    GROUP BY 1, 2 ORDER BY 1, 2
"""
NUMBERED = """
    SELECT n.nspname, c.relname, array_agg(a.attname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname <> 'milepost'
      AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%')
    GROUP BY 1, 2
"""
REFERRING = """
    SELECT n.nspname, c.relname, a.attname, fn.nspname, fc.relname, fa.attname
    FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair (mine, theirs)
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.mine
    JOIN pg_class fc ON fc.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
    JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = pair.theirs
    WHERE k.contype = 'f'
"""
LIKE = "SELECT to_jsonb(d), pg_encoding_to_char(encoding) FROM pg_database d WHERE datname = current_database()"
SETTINGS = """
    SELECT unnest(setconfig) FROM pg_db_role_setting
    WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
MAKERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = %s AND usename = current_user AND pid <> pg_backend_pid()
"""
PROVIDERS = {"i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}
NULL = "\\N"  # as rows_in gives it
LONGEST = 3600  # seconds for a dump
TRIES = 20  # to clear away behind a crash test that was ended
BETWEEN = 0.5  # seconds

_CLOCK = SystemClock()


def copy_database(real: str, name: str, *, anew: bool = True) -> str:
    """A copy of a database under that name; its URL. The real one is only read. ``anew``: without a store.

    Raises PlanError where it cannot be made.
    """
    made = _with_name(real, name)
    with closing(connect(real)) as connection:
        failure = "pg_dump and psql are not found"
        if shutil.which("pg_dump") and shutil.which("psql"):
            _create(connection, name, _like(connection))
            _set_as_here(connection, name)
            failure = _dumped(real, made, ["--exclude-schema=milepost"] if anew else [])
            if not failure:
                return made
            _drop(connection, name)
        _create(connection, name, sql.SQL("TEMPLATE {}").format(sql.Identifier(connection.info.dbname)), failure)
        _set_as_here(connection, name)
        if anew:
            with closing(connect(made)) as copy:
                copy.execute("DROP SCHEMA IF EXISTS milepost CASCADE")
    return made


def new_database(beside: str, name: str, *, like: str) -> str:
    """A database like the copy at the URL ``like``; its URL."""
    with closing(connect(beside)) as connection:
        _create(connection, name, sql.SQL("TEMPLATE {}").format(sql.Identifier(_name(like))))
        _set_as_here(connection, name)
    return _with_name(beside, name)


def drop_database(beside: str, url: str) -> None:
    """Drop a scratch database, whoever is still connected to it."""
    with closing(connect(beside)) as connection:
        _drop(connection, _name(url))


def drop_all(beside: str, prefix: str) -> None:
    """Drop every scratch database whose name begins so, also one that a server is making for somebody who is gone."""
    for left in reversed(range(TRIES)):
        try:
            with closing(connect(beside)) as connection:
                _end_makers(connection, prefix)
                for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall():
                    if name.startswith(prefix):
                        _drop(connection, name)
            return
        except (psycopg.Error, MilepostError):
            if not left:
                raise
            _CLOCK.sleep(BETWEEN)


def tables_in(url: str) -> dict[str, tuple[str, ...]]:
    """Every table that is not a store's, with its columns; ``schema.name`` outside of public."""
    with closing(connect(url, read_only=True)) as connection:
        return {_shown(schema, name): tuple(columns) for schema, name, columns in connection.execute(TABLES)}


def rows_in(url: str, table: str, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every row, its values as PostgreSQL writes them."""
    schema, _, name = table.rpartition(".")
    chosen = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("1")
    query = sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT").format(chosen, sql.Identifier(schema or "public", name))
    with closing(connect(url, read_only=True)) as connection, connection.cursor().copy(query) as copy:
        rest = b""
        for block in copy:
            *lines, rest = (rest + bytes(block)).split(b"\n")
            for line in lines:
                yield tuple(line.decode().split("\t"))


def numbered_in(url: str) -> dict[str, tuple[str, ...]]:
    """The columns that the database numbers by itself, of each table: a sequence does not go back with a rollback."""
    with closing(connect(url, read_only=True)) as connection:
        return {_shown(schema, name): tuple(columns) for schema, name, columns in connection.execute(NUMBERED)}


def referring_in(url: str) -> list[tuple[str, str, str, str]]:
    """Foreign keys column by column: table and column, and the table and column that they refer to."""
    with closing(connect(url, read_only=True)) as connection:
        return [
            (_shown(row[0], row[1]), row[2], _shown(row[3], row[4]), row[5]) for row in connection.execute(REFERRING)
        ]


def _shown(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"


def _like(connection: psycopg.Connection[Any]) -> sql.Composed:
    """How to make an empty database that sorts and encodes as this one."""
    found = connection.execute(LIKE).fetchone()
    assert found is not None  # noqa: S101 - a connection has a database
    settings, encoding = found
    parts = sql.SQL("TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
        encoding, settings["datcollate"], settings["datctype"]
    )
    provider = PROVIDERS.get(settings.get("datlocprovider") or "")
    if provider is not None:
        locale = settings.get("datlocale") or settings.get("daticulocale")
        parts += sql.SQL(" LOCALE_PROVIDER {} {} {}").format(sql.SQL(provider[0]), sql.SQL(provider[1]), locale)
    return parts


def _create(connection: psycopg.Connection[Any], name: str, template: sql.Composable, failure: str = "") -> None:
    where = f"{connection.info.dbname}, and {failure}" if failure else connection.info.dbname
    maker = sql.Literal(f"{name.rpartition('_')[0]}_")  # told before, so that drop_all knows who may be making one
    try:
        connection.execute(sql.SQL("SET application_name = {}").format(maker))
        connection.execute(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(name)) + template)
    except psycopg.Error as error:
        raise PlanError(
            f"no scratch database can be made beside {where}: {error.diag.message_primary or error}",
            hint="The user of the URL needs the right CREATEDB, and pg_dump and psql of the server's version on the"
            " path. Or make a copy by hand, and crash test that: --source URL --target URL.",
        ) from error


def _set_as_here(connection: psycopg.Connection[Any], name: str) -> None:
    """Give a new database the settings of this one, a search_path for instance: a copy does not have them."""
    for (setting,) in connection.execute(SETTINGS).fetchall():
        key, _, value = setting.partition("=")
        words = sql.SQL(", ").join(sql.Literal(word.strip(' "')) for word in value.split(","))  # a list stays one
        statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(*key.split(".")), words))


def _end_makers(connection: psycopg.Connection[Any], prefix: str) -> None:
    """End the sessions that make such databases: a server goes on making one whose client was killed."""
    for _ in range(TRIES * 10):
        if not connection.execute(MAKERS, [prefix]).fetchall():
            return
        _CLOCK.sleep(BETWEEN / 10)
    raise Fatal("the server still makes a scratch database")


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _dumped(real: str, made: str, settings: list[str]) -> str:
    """Copy by pg_dump and psql; nothing, or why it could not be done."""
    dump = ["pg_dump", "--no-owner", "--no-privileges", *settings, "--dbname", _without_secret(real)]
    load = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output", os.devnull]
    with subprocess.Popen(  # noqa: S603 - PostgreSQL's own programs
        dump, env=_environment(real), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as dumping:
        loading = subprocess.run(  # noqa: S603
            [*load, "--dbname", _without_secret(made)],
            env=_environment(made),
            stdin=dumping.stdout,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
        _, said = dumping.communicate()
    if dumping.returncode or loading.returncode:
        lines = (said.decode(errors="replace") or loading.stderr).strip().splitlines()
        return lines[0] if lines else "pg_dump or psql failed without a word"
    return ""


def _environment(url: str) -> dict[str, str]:
    """With the password, which must not stand in a command line that everybody can read."""
    password = conninfo_to_dict(_plain(url)).get("password")
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _without_secret(url: str) -> str:
    parts = conninfo_to_dict(_plain(url))
    parts.pop("password", None)
    return make_conninfo("", **parts)


def _plain(url: str) -> str:
    head, _, rest = url.partition("://")
    return f"{head.partition('+')[0]}://{rest}"


def _with_name(url: str, name: str) -> str:
    """The URL of another database on the same server; a name among the parameters would go before that of the path."""
    parts = urlsplit(url)
    settings = "&".join(each for each in parts.query.split("&") if each and each.partition("=")[0] != "dbname")
    return f"{parts.scheme}://{parts.netloc}/{name}{'?' if settings else ''}{settings}"


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
