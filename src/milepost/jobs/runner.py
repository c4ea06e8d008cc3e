"""One run of a job: take the lease, bring the root checkpoint to COMPLETE, give the lease back."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from milepost.clock import Clock, SystemClock
from milepost.errors import LeaseLost
from milepost.jobs.checkpoint import Checkpoint, run_at
from milepost.jobs.event import Emit, RunEnded, RunStarted, Told, ignore
from milepost.jobs.failure import in_words
from milepost.jobs.heartbeat import Heartbeat
from milepost.jobs.insist import Insistence
from milepost.jobs.recovery import last_failure, recovers
from milepost.jobs.retry import PATIENT, Patience
from milepost.jobs.session import Session
from milepost.jobs.state import JSON, REWOUND, Failure
from milepost.jobs.stop import Stop
from milepost.jobs.store import Store


def run(
    name: str,
    main: Callable[[Checkpoint], JSON],
    *,
    store: Store,
    emit: Emit = ignore,
    stop: Stop | None = None,
    holder: str | None = None,
    ttl: float = 60.0,
    reopen: bool = False,
    patience: Patience = PATIENT,
    clock: Clock | None = None,
) -> JSON:
    """Run the job ``name`` to its end and return what ``main`` gave; skip it if the job is complete already.

    ``ttl`` is the lease's, in seconds; it is renewed every third of it. ``holder`` tells others who runs. ``reopen``
    lets a complete job go on. A Retryable, once the lease is held, is met with ``patience``: the job is entered again
    and recovers as a new run would. Raises LeaseHeld if another run lives, Interrupted if ``stop`` was requested,
    LeaseLost if another run took over, and else what ``main`` raised, after recording it.
    """
    lease = store.acquire(name, holder=holder or this_process(), ttl=ttl)
    heartbeat = Heartbeat(store, lease)
    session = Session(store, lease, emit=emit, stop=stop or Stop(), heartbeat=heartbeat)
    insistence = Insistence(session, patience, clock or SystemClock())
    try:
        with heartbeat:
            insistence.on(partial(_announce, session))
            result = insistence.on(partial(_run_root, session, main, reopen=reopen))
        insistence.on(partial(_end_well, session))
    except BaseException as error:
        _end_badly(session, error)
        raise
    emit(RunEnded(job=name, outcome="complete", error=None))
    return result


def this_process() -> str:
    """Host and process, for people to read; nothing is decided by it."""
    return f"{socket.gethostname()} pid {os.getpid()}"


def _announce(session: Session) -> None:
    lease, record = session.lease, session.store.get(session.lease.job, "")
    recovering = recovers(record)
    paused = _paused_for(session, last_failure(record)) if recovering else None
    session.emit(
        RunStarted(
            job=lease.job,
            epoch=lease.epoch,
            store=session.store.url,
            recovering=recovering,
            paused_for=None if paused is None else paused.total_seconds(),
        )
    )


def _paused_for(session: Session, failure: Failure | None) -> timedelta | None:
    """Since the run that ``failure`` ended. A rewind since then was a run too, that started nothing and ended none."""
    before = [run for run in session.store.runs(session.lease.job) if run.epoch < session.lease.epoch]
    if failure == REWOUND or not before or before[-1].outcome != "rewound":
        return session.paused_for
    seen = next((run.seen_at for run in reversed(before) if run.outcome != "rewound"), None)
    return None if seen is None else max(session.lease.acquired_at - seen, timedelta(0))


def _run_root(session: Session, main: Callable[[Checkpoint], JSON], *, reopen: bool) -> JSON:
    if session.retried is not None:
        session.keep_lease()
    session.now = _pinned_now(session)
    return run_at(session, (), main, reopen=reopen)


def _pinned_now(session: Session) -> datetime:
    lease = session.lease
    pinned = session.store.remember(lease, "", "now", lease.acquired_at.isoformat())
    return datetime.fromisoformat(pinned)


def _end_well(session: Session) -> None:
    """Give the lease back; where the answer of an earlier try was lost, it may be given back already."""
    lease = session.lease
    try:
        session.store.release(lease, outcome="complete")
    except LeaseLost:
        last = session.store.runs(lease.job)[-1]
        if (last.epoch, last.outcome) != (lease.epoch, "complete"):
            raise


def _end_badly(session: Session, error: BaseException) -> None:
    """Record how the run ended, as far as it may still write; what goes wrong here never hides ``error``."""
    outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    said = in_words(error)
    try:
        if isinstance(error, LeaseLost) or session.lost is not None:
            session.emit(
                Told(message="the lease is lost: another run has taken over, and this one wrote nothing since")
            )
        else:
            session.store.release(session.lease, outcome=outcome, error=said)
        session.emit(RunEnded(job=session.lease.job, outcome=outcome, error=said))
    except Exception as second:  # noqa: BLE001  # whatever it is, the first error is the one to be raised
        error.add_note(f"And the end of the run could not be recorded: {in_words(second)}")
