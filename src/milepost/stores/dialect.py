"""How SQLite and PostgreSQL spell the few things in which a store's statements differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

# What a store of the present schema has: every table with its columns.
COLUMNS = {
    "job": {"name", "epoch", "held"},
    "run": {"job", "epoch", "holder", "started_at", "seen_at", "lease_until", "ended_at", "outcome", "error"},
    "checkpoint": {
        *("ordinal", "job", "path", "state", "attempt", "position", "result", "failure_kind", "failure_message"),
        *("started_at", "finished_at", "changed_at"),
    },
    "ledger": {
        *("job", "path", "seq", "low", "high", "read", "loaded", "unchanged", "filtered", "rejected"),
        *("total_read", "total_loaded", "total_unchanged", "total_filtered", "total_rejected"),
        *("epoch", "committed_at"),
    },
    "reject": {"job", "path", "seq", "ordinal", "stage", "reason", "key", "content"},
    "value": {"job", "path", "name", "value"},
}


@dataclass(frozen=True, kw_only=True, eq=False)  # looked up by what it is, at every statement
class Dialect:
    """Text that takes the place of ``{words}`` in a statement; see ``spell``.

    ``last`` joins the path's last ledger row ``l`` to the checkpoint ``c``, in one look. ``seen`` is a run's latest
    durable sign of life (``r`` its row). ``marks`` is what stands before and after a parameter's name.
    """

    prefix: str
    now: str
    until: str
    shared: str
    last: str
    seen: str
    marks: tuple[str, str]


SQLITE = Dialect(
    prefix="milepost_",
    now="strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    until="strftime('%Y-%m-%dT%H:%M:%fZ', 'now', :ttl || ' seconds')",
    shared="",
    last="""LEFT JOIN {ledger} l ON l.job = c.job AND l.path = c.path
        AND l.seq = (SELECT max(m.seq) FROM {ledger} m WHERE m.job = c.job AND m.path = c.path)""",
    seen="r.seen_at",  # every commit writes it
    marks=(":", ""),
)

POSTGRES = Dialect(
    prefix="milepost.",
    now="clock_timestamp()",
    until="clock_timestamp() + make_interval(secs => :ttl)",
    shared="FOR SHARE",
    last="""LEFT JOIN LATERAL (SELECT * FROM {ledger} m WHERE m.job = c.job AND m.path = c.path
        ORDER BY m.seq DESC LIMIT 1) l ON true""",
    seen="""greatest(r.seen_at,
        (SELECT max(m.committed_at) FROM {ledger} m WHERE m.job = r.job),
        (SELECT max(c.changed_at) FROM {checkpoint} c WHERE c.job = r.job))""",
    marks=("%(", ")s"),
)


@cache
def spell(statement: str, dialect: Dialect) -> str:
    """``statement`` with ``{table}`` and the dialect's words put in, and ``:name`` as its driver wants it."""
    words = {table: dialect.prefix + table for table in COLUMNS}
    before, after = dialect.marks
    for word in ("last", "seen", "now", "until", "shared"):  # `last` and `seen` name tables themselves
        statement = statement.replace(f"{{{word}}}", getattr(dialect, word))
    for word, text in words.items():
        statement = statement.replace(f"{{{word}}}", text)
    return statement if before == ":" else re.sub(r"(?<!:):([a-z_]+)", rf"{before}\1{after}", statement)
