"""Who may write now, until when, and under which epoch. Values only; a store grants and checks them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write for one job.

    ``epoch`` grows by one each time the right passes to another run; every commit compares it in its own
    transaction, which fences off everybody before. ``holder`` tells people who it is (host and process); no decision
    is made by it. ``ttl`` is in seconds, on the store's clock. ``acquired_at`` is the store's time.
    ``previous_sign_of_life`` is the latest durable sign of the run before, None for the first.
    """

    job: str
    epoch: int
    holder: str
    ttl: float
    acquired_at: datetime
    previous_sign_of_life: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One holding of the lease, usually an attempt to finish the job, as the run history keeps it.

    ``outcome`` is None while it runs (and for ever when it was killed), else "complete", "failed", "interrupted", or
    "rewound" for one that only forgot checkpoints and started none.
    """

    job: str
    epoch: int
    holder: str
    started_at: datetime
    seen_at: datetime
    lease_until: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    error: str | None = None
