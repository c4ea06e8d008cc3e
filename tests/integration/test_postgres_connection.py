"""What every connection to PostgreSQL is given, whatever the server's defaults."""

import os
import socket

import psycopg
import pytest

from milepost.databases.postgres import connect
from milepost.errors import PlanError

pytestmark = pytest.mark.every_postgres


@pytest.fixture
def encoded(postgres_server):
    """A function that makes a database of another encoding and tells its URL."""
    made = []
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:

        def make(encoding):
            made.append(f"encoded_{encoding.lower()}")
            keeper.execute(
                f"CREATE DATABASE {made[-1]} OWNER milepost ENCODING '{encoding}' TEMPLATE template0 "
                "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
            )
            return postgres_server.url(made[-1])

        yield make
        for name in made:
            keeper.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_without_an_encoding_is_refused_by_name(postgres_server, encoded):
    with pytest.raises(PlanError, match=r"/encoded_sql_ascii has the encoding SQL_ASCII") as refused:
        connect(encoded("SQL_ASCII"))
    assert postgres_server.password not in str(refused.value)


@pytest.mark.parametrize("wish", ["", "?client_encoding=SQL_ASCII", "?client_encoding=LATIN1"])
def test_text_is_text_whatever_encoding_database_and_url_are_of(encoded, wish):
    with connect(encoded("LATIN1") + wish) as connection:
        assert connection.execute("SELECT chr(233), length('é')").fetchone() == ("é", 1)
        assert connection.info.encoding == "utf-8"


def options(connection):
    """What the system was told about the connection, in seconds and milliseconds."""
    with socket.socket(fileno=os.dup(connection.fileno())) as shared:
        tcp = {name: getattr(socket, name) for name in dir(socket) if name.startswith("TCP_")}
        kept = {name: shared.getsockopt(socket.IPPROTO_TCP, tcp[name]) for name in KEPT if name in tcp}
        return bool(shared.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)), kept


KEPT = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


def test_a_network_that_is_gone_is_noticed(postgres_url):
    with connect(postgres_url) as connection:
        is_kept, found = options(connection)
    assert is_kept
    assert found
    assert found == {name: KEPT[name] for name in found}


def test_what_the_url_says_about_the_network_holds(postgres_url):
    with connect(f"{postgres_url}?keepalives_idle=77&tcp_user_timeout=5000") as connection:
        _, found = options(connection)
    assert found == {name: {**KEPT, "TCP_KEEPIDLE": 77, "TCP_USER_TIMEOUT": 5000}[name] for name in found}
    with connect(f"{postgres_url}?keepalives=0") as connection:
        assert options(connection)[0] is False
