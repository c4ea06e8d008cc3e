"""The proxy that breaks connections breaks them where it is told to, and nowhere else."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest

from fault_proxy import KINDS, Fault, FaultProxy, Traffic, drawn
from frontend_messages import Commits

SAID = bytes(range(256)) * 40


class Echo:
    """A server that says to each client what it was told; ``heard`` is all of it."""

    def __init__(self) -> None:
        self.heard = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.silent = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.echo, args=[client], daemon=True).start()

    def echo(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            while data := client.recv(1 << 16):
                self.heard += data
                client.sendall(data)
        self.silent.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    with closing(echo.listener):
        yield echo


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy(echo.url) as proxy:
        yield proxy


def call(proxy: FaultProxy) -> socket.socket:
    port = int(proxy.url.rpartition(":")[2].partition("/")[0])
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def heard_until_the_end(client: socket.socket) -> bytes:
    heard = b""
    with suppress(ConnectionResetError):
        while data := client.recv(1 << 16):
            heard += data
    return heard


def read_on(client: socket.socket) -> None:
    """Raises what ends the connection, unless it is a mere end."""
    while client.recv(100):
        pass


def test_left_alone_it_passes_every_byte_of_both_sides_and_the_end(proxy: FaultProxy, echo: Echo) -> None:
    with call(proxy) as client:
        sender = threading.Thread(target=lambda: (client.sendall(SAID * 100), client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert heard_until_the_end(client) == SAID * 100
        sender.join()
    assert (proxy.traffic.client, proxy.traffic.server) == (len(SAID) * 100, len(SAID) * 100)
    assert proxy.struck == []


@pytest.mark.parametrize("at", [1, 77, 5000])
def test_it_cuts_behind_the_very_byte_of_the_server(proxy: FaultProxy, at: int) -> None:
    fault = Fault("cut", at, "server")
    proxy.arm(fault)
    with call(proxy) as client:
        client.sendall(SAID)
        assert heard_until_the_end(client) == SAID[:at]
    assert proxy.struck == [fault]


@pytest.mark.parametrize("at", [1, 77, 5000])
def test_it_cuts_behind_the_very_byte_of_the_client(proxy: FaultProxy, echo: Echo, at: int) -> None:
    proxy.arm(Fault("cut", at, "client"))
    with call(proxy) as client:
        client.sendall(SAID)
        heard_until_the_end(client)
        assert echo.silent.wait(10)
    assert echo.heard == SAID[:at]


def test_it_counts_over_all_connections_and_breaks_once(proxy: FaultProxy, echo: Echo) -> None:
    proxy.arm(Fault("cut", 15, "client"))
    with call(proxy) as first, call(proxy) as second, call(proxy) as third:
        first.sendall(b"0123456789")
        assert first.recv(100) == b"0123456789"
        second.sendall(b"0123456789")
        heard_until_the_end(second)
        third.sendall(b"0123456789")
        assert third.recv(100) == b"0123456789"
        first.sendall(b"more")
        assert first.recv(100) == b"more"
    assert echo.heard[10:15] == b"01234"


def test_a_reset_is_one_where_a_cut_is_a_mere_end(proxy: FaultProxy) -> None:
    proxy.arm(Fault("cut", 3, "server"))
    with call(proxy) as client:
        client.sendall(b"abc")
        read_on(client)
    proxy.arm(Fault("reset", 3, "server"))
    with call(proxy) as client:
        client.sendall(b"abc")
        with pytest.raises(ConnectionResetError):
            read_on(client)


def test_a_stall_keeps_the_connection_and_what_it_held_back(proxy: FaultProxy) -> None:
    proxy.arm(Fault("stall", 4, "server", seconds=0.3))
    with call(proxy) as client:
        client.sendall(b"abcdef")
        assert client.recv(100) == b"abcd"
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(100)
        client.settimeout(10)
        assert client.recv(100) == b"ef"


def test_a_stall_until_released_lets_clients_in_and_passes_nothing(proxy: FaultProxy) -> None:
    proxy.stall()
    with call(proxy) as client:
        client.sendall(b"abc")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.release()
        client.settimeout(10)
        assert client.recv(100) == b"abc"


def test_a_refusal_closes_all_and_lets_nobody_in_until_it_is_over(proxy: FaultProxy) -> None:
    with call(proxy) as client:
        client.sendall(b"abc")
        assert client.recv(100) == b"abc"
        proxy.refuse()
        assert heard_until_the_end(client) == b""
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            call(proxy)
    proxy.release()
    with call(proxy) as client:
        client.sendall(b"abc")
        assert client.recv(100) == b"abc"


def test_the_same_seed_draws_the_same_faults_and_all_kinds_come_up() -> None:
    traffic = Traffic(client=1000, server=2000, commits=7)
    once, again = ([drawn(random.Random(seed), traffic) for seed in range(100)] for _ in range(2))
    assert once == again
    assert {fault.kind for fault in once} == set(KINDS)
    limits = {"lose commit": 7, "client": 1000, "server": 2000}
    assert all(1 <= fault.at <= limits.get(fault.kind, limits[fault.side]) for fault in once)


# -- before a real server


@pytest.fixture
def counted(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as direct:
        direct.execute("CREATE TABLE counted (n integer)")
        yield direct


def insert(connection: psycopg.Connection, pipeline: bool) -> None:
    if pipeline:
        with connection.pipeline(), connection.transaction():
            connection.execute("INSERT INTO counted VALUES (1)")
    else:
        with connection.transaction():
            connection.execute("INSERT INTO counted VALUES (1)")


@pytest.mark.parametrize("pipeline", [False, True], ids=["simple protocol", "extended protocol"])
def test_a_commit_whose_answer_is_lost_was_made(postgres_url, counted, fault_proxies, pipeline) -> None:
    proxy = fault_proxies(postgres_url)
    proxy.arm(Fault("lose commit", 2))
    connection = psycopg.connect(proxy.url, autocommit=True)
    insert(connection, pipeline)
    with pytest.raises(psycopg.OperationalError):
        insert(connection, pipeline)
    connection.close()
    assert [fault.kind for fault in proxy.struck] == ["lose commit"]
    assert counted.execute("SELECT count(*) FROM counted").fetchone() == (2,)


def test_commits_are_counted_in_whatever_pieces_they_come() -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4) + body

    sent = b"".join(
        [
            message(b"", (80877103).to_bytes(4)),  # may it be TLS?
            message(b"", (196608).to_bytes(4) + b"user\0commit\0\0"),
            message(b"Q", b"BEGIN\0"),
            message(b"d", b"COMMIT" * 1000),  # of a COPY
            message(b"Q", b" commit \0"),
            message(b"P", b"_pg3_0\0COMMIT\0\0\0"),
            message(b"B", b"\0_pg3_0\0" + bytes(6)),
            message(b"E", b"\0" + bytes(4)),
            message(b"S", b""),
            message(b"Q", b"SELECT 'COMMIT'\0"),
        ]
    )
    for size in (1, 2, 7, 100, len(sent)):
        commits = Commits()
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert sum(map(commits.feed, pieces)) == 2, size
