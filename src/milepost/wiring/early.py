"""A look at the store before anything else: what would keep a run from starting is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from milepost.jobs.event import Emit, Told
from milepost.jobs.job import Job
from milepost.jobs.parameters import PARAMETERS
from milepost.stores.holding import held_by
from milepost.stores.schema import OlderSchema
from milepost.wiring.openers import Openers


def settle_first(job: Job, given: Mapping[str, str], url: str, openers: Openers) -> None:
    """Settle the job's parameters by what its store holds: wrong ones are refused before anything is written."""
    if not job.parameters and not given:
        return
    try:
        store = openers.store(url, create=False)
    except OlderSchema:
        store = None  # it is older than parameters are
    pinned = None
    if store is not None:
        with closing(store):
            pinned = store.recall(job.name, "").get(PARAMETERS)
    job.parameters.settle(given, pinned)


def look_first(job: str, url: str, openers: Openers, emit: Emit) -> None:
    """Raise LeaseHeld where another run of the job lives, and bring a store of an older schema up to date.

    Only so that a second run is refused before it has looked at every table: who may write is decided when the lease is
    taken. A store that is not there is not made.
    """
    try:
        store = openers.store(url, create=False)
    except OlderSchema:
        store = openers.store(url, create=True)
    if store is None:
        return
    with closing(store):
        last = next(reversed(store.runs(job)), None)
        if last is None or last.ended_at is not None or store.is_dead(job):
            return
        if last.seen_at <= store.now() < last.lease_until:
            raise held_by(job, last.holder, last.lease_until)
    patience = (last.lease_until - last.seen_at).total_seconds() / 2
    emit(
        Told(
            message=f"the lease of {last.holder} is over, and that run may still be there:"
            f" taking over unless it gives a sign of life within {patience:.0f} seconds"
        )
    )
