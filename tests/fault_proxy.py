"""A proxy on the loopback between a client and a PostgreSQL server, which breaks the connection where it is told to.

    with FaultProxy(url) as proxy:
        proxy.arm(Fault("cut", at=1000, side="server"))
        psycopg.connect(proxy.url)

Bytes and COMMITs are counted over all connections since ``arm``. Only plain text is understood: with TLS nobody but the
two ends would see a COMMIT.
"""

from __future__ import annotations

import math
import queue
import random
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import urlsplit

from frontend_messages import Commits
from milepost.clock import SystemClock

Kind = Literal["cut", "reset", "stall", "refuse", "lose commit"]
Side = Literal["client", "server"]
KINDS: tuple[Kind, ...] = ("cut", "reset", "stall", "refuse", "lose commit")
SIDES: tuple[Side, ...] = ("client", "server")
CHUNK = 1 << 16
ANSWERS = (b"COMMIT\0", b"ROLLBACK\0", b"Z\0\0\0\5")  # what was done; "ready for the next query"
WITHOUT_A_WORD = struct.pack("ii", 1, 0)  # SO_LINGER: to close sends RST
PATIENCE = 30.0

_CLOCK = SystemClock()


@dataclass(frozen=True)
class Fault:
    """What breaks, and when: behind so many bytes of that side, or with so many-th COMMIT of the clients.

    - cut: the connection is closed at both ends.
    - reset: likewise, by RST.
    - stall: nothing passes any more, on no connection, for ``seconds``; all stay open, and new ones are let in.
    - refuse: every connection is closed, and none is let in for ``seconds``.
    - lose commit: the server gets the COMMIT and answers; the answer is thrown away and the connection closed.
    """

    kind: Kind
    at: int
    side: Side = "client"
    seconds: float = 0.5


@dataclass(frozen=True)
class Traffic:
    """What has passed: bytes of each side, and COMMITs."""

    client: int = 0
    server: int = 0
    commits: int = 0


def drawn(chance: random.Random, traffic: Traffic, kind: Kind | None = None) -> Fault:
    """A fault somewhere in a run that makes so much traffic when it is left alone."""
    kind = kind or chance.choice(KINDS)
    if kind == "lose commit":
        return Fault(kind, chance.randint(1, traffic.commits))
    side = chance.choice(SIDES)
    return Fault(kind, chance.randint(1, getattr(traffic, side)), side)


@dataclass(eq=False)
class _End:
    """One socket of a connection. ``pending`` is still to be written to it; ``ended``: nothing more comes from it.

    ``told``: it knows that nothing more comes to it.
    """

    socket: socket.socket
    side: Side
    pending: bytes = b""
    ended: bool = False
    told: bool = False
    commits: Commits = field(default_factory=Commits)
    lost: bytes | None = None  # what was thrown away of it, where a commit's answer is to be lost
    other: _End = field(init=False, repr=False)


class FaultProxy:
    """Stands before the server of ``server_url`` while open. ``url`` is the same database through it.

    ``struck`` lists the faults that came to pass.
    """

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = _bound(0)
        self._listener.listen()
        self._port = self._listener.getsockname()[1]
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        self.url = parts._replace(netloc=f"{user}127.0.0.1:{self._port}").geturl()
        self.struck: list[Fault] = []
        self.traffic = Traffic()
        self._armed: list[Fault] = []
        self._ends: set[_End] = set()
        self._stalled_until = self._refused_until = 0.0  # monotonic
        self._listening = self._open = True
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._bell, self._rope = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    # -- for tests

    def arm(self, *faults: Fault) -> None:
        """Let these come to pass, each once, in place of those armed before. Counting begins anew."""
        self._have_done(lambda: self._arm(faults))

    def stall(self) -> None:
        """Let nothing pass, and nobody know, until ``release``."""
        self._have_done(lambda: self._stall(math.inf))

    def refuse(self) -> None:
        """Close every connection and let none in until ``release``."""
        self._have_done(lambda: self._refuse(math.inf))

    def release(self) -> None:
        """End a stall or a refusal."""
        self._have_done(self._release)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._have_done(self._end)
        self._thread.join()

    def _have_done(self, order: Callable[[], None]) -> None:
        """In the proxy's own thread, between two events; returns when it is done."""
        done = threading.Event()

        def act() -> None:
            order()
            done.set()

        self._orders.put(act)
        self._rope.send(b".")
        assert done.wait(PATIENCE), "the proxy does not answer"

    # -- orders and faults; from here on everything runs in the proxy's thread

    def _arm(self, faults: tuple[Fault, ...]) -> None:
        self._armed, self.struck, self.traffic = list(faults), [], Traffic()

    def _stall(self, seconds: float) -> None:
        self._stalled_until = _CLOCK.monotonic() + seconds

    def _refuse(self, seconds: float) -> None:
        self._refused_until = _CLOCK.monotonic() + seconds
        self._listener.close()
        self._listener, self._listening = _bound(self._port), False  # nobody else gets the port, and nobody is let in
        for end in list(self._ends):
            self._close(end)

    def _release(self) -> None:
        self._stalled_until = self._refused_until = 0.0

    def _end(self) -> None:
        self._open = False

    def _strike(self, fault: Fault, end: _End) -> None:
        self._armed.remove(fault)
        self.struck.append(fault)
        match fault.kind:
            case "cut" | "reset":
                self._close(end, by_reset=fault.kind == "reset")
            case "stall":
                self._stall(fault.seconds)
            case "refuse":
                self._refuse(fault.seconds)
            case "lose commit":
                end.other.lost = b""

    def _close(self, end: _End, *, by_reset: bool = False) -> None:
        for each in (end, end.other):
            self._ends.discard(each)
            if by_reset:
                each.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, WITHOUT_A_WORD)
            each.socket.close()

    # -- the loop

    def _run(self) -> None:
        try:
            while self._open:
                if not self._listening and _CLOCK.monotonic() >= self._refused_until:
                    self._listener.listen()
                    self._listening = True
                for what, events in self._events():
                    self._serve(what, events)
        finally:
            for each in (*(end.socket for end in self._ends), self._listener, self._bell, self._rope):
                each.close()

    def _events(self) -> Iterator[tuple[_End | socket.socket, int]]:
        """What can be read or written, once something can, or once a time of waiting may be over."""
        now = _CLOCK.monotonic()
        until = [each for each in (self._stalled_until, self._refused_until) if now < each < math.inf]
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ, self._bell)
            if self._listening:
                selector.register(self._listener, selectors.EVENT_READ, self._listener)
            for end in self._ends if now >= self._stalled_until else ():
                if wanted := _wanted(end):
                    selector.register(end.socket, wanted, end)
            ready = selector.select(min(until) - now if until else None)
        for key, events in ready:
            yield key.data, events

    def _serve(self, what: _End | socket.socket, events: int) -> None:
        if what is self._bell:
            self._bell.recv(CHUNK)
            while not self._orders.empty():
                self._orders.get()()
        elif what is self._listener:
            self._let_in()
        elif isinstance(what, _End) and what in self._ends:  # it may have been closed since
            try:
                self._exchange(what, events)
            except OSError:
                self._close(what, by_reset=True)

    def _let_in(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._server, timeout=PATIENCE)
        except OSError:
            client.close()
            return
        ends = _End(client, "client"), _End(server, "server")
        for end, other in (ends, ends[::-1]):
            end.other = other
            end.socket.settimeout(0)
            end.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends.update(ends)

    def _exchange(self, end: _End, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            end.pending = end.pending[end.socket.send(end.pending) :]
        if events & selectors.EVENT_READ:
            if data := end.socket.recv(CHUNK):
                self._pass(end, data)
            else:
                end.ended = True
        if end not in self._ends:
            return
        pair = (end, end.other)
        if all(each.ended and not each.pending for each in pair):
            self._close(end)
            return
        for each in pair:
            if each.other.ended and not each.pending and not each.told:
                each.socket.shutdown(socket.SHUT_WR)
                each.told = True

    def _pass(self, end: _End, data: bytes) -> None:
        if end.lost is not None:
            end.lost += data
            if any(answer in end.lost for answer in ANSWERS):
                self._close(end)
            return
        commits = end.commits.feed(data) if end.side == "client" else 0
        before = self._count(end.side, len(data), commits)
        fault = self._due(end.side)
        if fault is None:
            end.other.pending = data
        elif fault.kind == "lose commit":
            end.other.pending = data
            self._strike(fault, end)
        else:
            self._break(fault, end, data, fault.at - before)

    def _count(self, side: Side, size: int, commits: int) -> int:
        """How many bytes of that side had passed before these."""
        was = self.traffic
        sizes = {"client": was.client, "server": was.server}
        sizes[side] += size
        self.traffic = Traffic(sizes["client"], sizes["server"], was.commits + commits)
        return sizes[side] - size

    def _due(self, side: Side) -> Fault | None:
        """The fault whose moment has come."""
        for fault in self._armed:
            counted = self.traffic.commits if fault.kind == "lose commit" else getattr(self.traffic, fault.side)
            if counted >= fault.at and side == fault.side:
                return fault
        return None

    def _break(self, fault: Fault, end: _End, data: bytes, size: int) -> None:
        """Let the first ``size`` bytes through to the other end, then let the fault come to pass."""
        size = max(size, 0)
        end.other.socket.settimeout(PATIENCE)
        end.other.socket.sendall(data[:size])
        end.other.socket.settimeout(0)
        end.other.pending = data[size:]  # what a stall keeps back
        self._strike(fault, end)


def _wanted(end: _End) -> int:
    """What the end is waited for: to take what is pending, and to give more where that can be passed on."""
    reads = not (end.ended or end.other.pending)
    return selectors.EVENT_WRITE * bool(end.pending) | selectors.EVENT_READ * reads


def _bound(port: int) -> socket.socket:
    """A socket with the port; as long as it does not listen, whoever calls is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
