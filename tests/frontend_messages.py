"""What a PostgreSQL client sends, followed as far as to see its COMMITs, in the simple and the extended protocol."""

from __future__ import annotations

# The client asks for TLS or GSS before it says who it is; a server without them answers with one byte.
ASKING = {80877103, 80877104}
BIG = b"d"  # a piece of a COPY: its content is passed over


class Commits:
    """Counts the COMMITs of one connection, given its bytes in whatever pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipped = 0  # bytes of a message that are still to be passed over
        self._started = False
        self._statements: dict[bytes, bool] = {}
        self._portals: dict[bytes, bool] = {}

    def feed(self, data: bytes) -> int:
        """How many COMMITs were completed by ``data``."""
        skipped = min(self._skipped, len(data))
        self._skipped -= skipped
        self._rest += data[skipped:]
        found = 0
        while (message := self._next()) is not None:
            found += self._is_commit(*message)
        return found

    def _next(self) -> tuple[bytes, bytes] | None:
        """The next message's type (none before the session has begun) and body."""
        head = 5 if self._started else 4
        if len(self._rest) < head:
            return None
        kind = self._rest[: head - 4]
        end = head - 4 + int.from_bytes(self._rest[head - 4 : head])
        if len(self._rest) < end:
            if kind != BIG:
                return None
            self._skipped = end - len(self._rest)
        body, self._rest = self._rest[head:end], self._rest[end:]
        return kind, body

    def _is_commit(self, kind: bytes, body: bytes) -> bool:
        match kind:
            case b"":
                self._started = int.from_bytes(body[:4]) not in ASKING
            case b"Q":
                return _commits(body)
            case b"P":  # parse: a statement's name, its text
                name, text, *_ = body.split(b"\0", 2)
                self._statements[name] = _commits(text)
            case b"B":  # bind: a portal's name, its statement's
                portal, name, *_ = body.split(b"\0", 2)
                self._portals[portal] = self._statements.get(name, False)
            case b"E":  # execute: a portal's name
                return self._portals.get(body.partition(b"\0")[0], False)
        return False


def _commits(text: bytes) -> bool:
    return any(part.strip().upper().startswith((b"COMMIT", b"END")) for part in text.rstrip(b"\0").split(b";"))
