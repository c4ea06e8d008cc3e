"""What a store knows about who holds a job, and the refusal of those who come too early or too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from milepost.errors import LeaseHeld, LeaseLost, StoreError
from milepost.jobs.lease import Lease


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A job's latest epoch. ``held``: its run did not end.

    ``lapsed`` is judged on the store's clock: the lease is over, or was renewed at a time that is yet to come, so that
    the clock was set back since and its end says nothing. ``ttl`` is that of the latest renewal, in seconds.
    """

    epoch: int
    held: bool
    holder: str
    until: datetime
    lapsed: bool
    seen_at: datetime
    ttl: float


def held_by(job: str, holder: str, until: datetime) -> LeaseHeld:
    """The error for a second run."""
    shown = f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return LeaseHeld(
        f"job {job!r} is being run by {holder}, which holds the lease until {shown} and renews it",
        hint="Wait for that run, or stop it. If it is dead or stopped, run the same command again after that time.",
    )


def lost(lease: Lease) -> LeaseLost:
    """The error for a run that another has taken over."""
    return LeaseLost(
        f"this run of job {lease.job!r} (epoch {lease.epoch}) no longer holds the lease; it wrote nothing since",
        hint="Another run has taken over, or this one has ended. See `milepost status`.",
    )


def inside_transaction(what: str) -> StoreError:
    """The error for taking or giving back a lease while a transaction is open."""
    return StoreError(f"a lease cannot be {what} inside a transaction", hint="Do it before or after.")


def out_of_order(path: str, seq: int) -> StoreError:
    """The error for a ledger entry that is not the path's next, or whose checkpoint does not exist."""
    return StoreError(
        f"batch {seq} cannot be added to the ledger of {path!r}: it is not the next, or there is no such checkpoint",
        hint="Two writers on one path, or a damaged store: keep it and report this.",
    )


def above(path: str) -> list[str]:
    """The paths of the checkpoints above ``path``, the job itself among them."""
    parts = path.split("/") if path else []
    return ["/".join(parts[:depth]) for depth in range(len(parts))]


def is_within(path: str, other: str) -> bool:
    """Whether ``path`` is ``other`` or below it; everything is below the job itself."""
    return other in ("", path) or path.startswith(f"{other}/")
