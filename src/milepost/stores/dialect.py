"""How SQLite and PostgreSQL spell the few things in which a store's statements differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

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
        *("epoch", "committed_at", "modified"),
    },
    "reject": {
        *("job", "path", "seq", "ordinal", "stage", "reason", "key", "content", "target_key", "parent"),
    },
    "key_map": {"job", "path", "key", "target", "batch_path", "batch_seq"},
    "link": {"job", "path", "seq", "place", "link"},
    "value": {"job", "path", "name", "value"},
}


@dataclass(frozen=True, kw_only=True, eq=False)  # looked up by what it is, at every statement
class Dialect:
    """Text that takes the place of ``{words}`` in a statement; see ``spell``.

    ``last`` joins the path's last ledger row ``l`` to the checkpoint ``c``, in one look. ``seen`` is a run's latest
    durable sign of life (``r`` its row). ``marks`` is what stands before and after a parameter's name.

    However many values there are, they are one statement's parameters: ``texts`` and ``pairs`` make these. ``among``
    is true of what is equal to one of the texts; ``listed`` is a table of them, ``(number, text)`` with numbers from 0,
    and ``paired`` of the pairs, ``(one, other)``.
    """

    prefix: str
    now: str
    until: str
    shared: str
    last: str
    seen: str
    among: str
    listed: str
    paired: str
    texts: Callable[[Sequence[str | None]], dict[str, Any]]
    pairs: Callable[[Sequence[tuple[Any, Any]]], dict[str, Any]]
    marks: tuple[str, str]


SQLITE = Dialect(
    prefix="milepost_",
    now="strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    until="strftime('%Y-%m-%dT%H:%M:%fZ', 'now', :ttl || ' seconds')",
    shared="",
    last="""LEFT JOIN {ledger} l ON l.job = c.job AND l.path = c.path
        AND l.seq = (SELECT max(m.seq) FROM {ledger} m WHERE m.job = c.job AND m.path = c.path)""",
    seen="r.seen_at",  # every commit writes it
    among="IN (SELECT value FROM json_each(:texts))",
    listed="(SELECT key AS number, value AS text FROM json_each(:texts)) AS given",
    paired="""(SELECT json_extract(value, '$[0]') AS one, json_extract(value, '$[1]') AS other
        FROM json_each(:pairs)) AS pair""",
    texts=lambda texts: {"texts": json.dumps(texts)},
    pairs=lambda pairs: {"pairs": json.dumps(pairs)},
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
    among="= ANY (:texts::text[])",
    listed="(SELECT n - 1 AS number, text FROM unnest(:texts::text[]) WITH ORDINALITY AS each (text, n)) AS given",
    paired="unnest(:ones::text[], :others::text[]) AS pair (one, other)",
    texts=lambda texts: {"texts": list(texts)},
    pairs=lambda pairs: {"ones": [one for one, _ in pairs], "others": [other for _, other in pairs]},
    marks=("%(", ")s"),
)


# Before the tables: some of them name tables themselves.
WORDS = ("last", "seen", "now", "until", "shared", "among", "listed", "paired")


@cache
def spell(statement: str, dialect: Dialect) -> str:
    """``statement`` with ``{table}`` and the dialect's words put in, and ``:name`` as its driver wants it."""
    words = {table: dialect.prefix + table for table in COLUMNS}
    before, after = dialect.marks
    for word in WORDS:
        statement = statement.replace(f"{{{word}}}", getattr(dialect, word))
    for word, text in words.items():
        statement = statement.replace(f"{{{word}}}", text)
    return statement if before == ":" else re.sub(r"(?<!:):([a-z_]+)", rf"{before}\1{after}", statement)
