"""TPC-H at scale 0.1 (15,000 customers, 150,000 orders, 600,572 lines), made by tpchgen-cli.

Fixtures: `tpch_files` (what tpchgen-cli wrote), `tpch_postgres` and `tpch_sqlite` (sources, which no test writes),
`tpch_target` (an empty database whose schema `legacy` holds what was generated, for the expected SQL).
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

EXAMPLE = Path(__file__).parent.parent / "examples/tpch"
TPCH = EXAMPLE / "tpch.py"
SCALE = 0.1
ORDER = {"customer": "c_custkey", "orders": "o_orderkey", "lineitem": "l_orderkey, l_linenumber"}


def prepare():
    """The example's prepare.py, as a module."""
    spec = importlib.util.spec_from_file_location("tpch_prepare", EXAMPLE / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tpch_files(tmp_path_factory) -> Path:
    """The folder with customer.tbl, orders.tbl and lineitem.tbl."""
    folder = tmp_path_factory.mktemp("tpch")
    prepare().generate(folder, SCALE)
    return folder


@pytest.fixture(scope="session")
def tpch_sqlite(tpch_files) -> Path:
    """A source in SQLite."""
    path = tpch_files / "tpch.db"
    prepare().load_sqlite(path, tpch_files)
    path.chmod(0o444)
    return path


@pytest.fixture(scope="session")
def tpch_postgres(postgres_server, tpch_files) -> Iterator[str]:
    """The URL of a source in PostgreSQL."""
    name = sql.Identifier("tpch_source")
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute(sql.SQL("CREATE DATABASE {} OWNER milepost").format(name))
        prepare().load_postgres(postgres_server.url("tpch_source"), tpch_files)
        yield postgres_server.url("tpch_source")
        keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def tpch_target(postgres_server, tpch_postgres) -> Iterator[str]:
    """The URL of an empty target: a copy of the generated tables, moved aside to `legacy`, and new ones."""
    name = sql.Identifier("tpch_target")
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        copied = sql.SQL("CREATE DATABASE {} OWNER milepost TEMPLATE tpch_source STRATEGY file_copy")
        keeper.execute(copied.format(name))
        url = postgres_server.url("tpch_target")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA legacy")
            for table in ORDER:
                connection.execute(f"ALTER TABLE {table} SET SCHEMA legacy")
            connection.execute((EXAMPLE / "schema.postgres.sql").read_text())
        yield url
        keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
