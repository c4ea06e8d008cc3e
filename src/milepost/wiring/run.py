"""Run, plan and rewind a declared job: its store opened, its ends connected, all closed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from milepost.clock import Clock, SystemClock
from milepost.databases.url import expand, hide_password
from milepost.errors import PlanError, StoreError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.event import Emit, Told, ignore
from milepost.jobs.job import Job
from milepost.jobs.parameters import NO_PARAMETERS
from milepost.jobs.retry import PATIENT, Patience
from milepost.jobs.runner import run as run_to_end
from milepost.jobs.runner import this_process
from milepost.jobs.state import JSON
from milepost.jobs.stop import Stop
from milepost.jobs.store import Store
from milepost.migration.migration import Migration
from milepost.migration.pin import name_of
from milepost.migration.plan import Plan
from milepost.migration.table import Sink, file_of
from milepost.wiring.early import look_first, settle_first
from milepost.wiring.migrate import Migrating
from milepost.wiring.openers import BY_URL, Openers

LEASE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Urls:
    """URLs that take the place of those in the file; None leaves the file's."""

    source: str | None = None
    target: str | None = None
    store: str | None = None


NO_URLS = Urls()


def run(
    job: Job | Migration,
    *,
    urls: Urls = NO_URLS,
    emit: Emit = ignore,
    stop: Stop | None = None,
    accept_changed: frozenset[str] = frozenset(),
    recheck: bool = False,
    catch_up_limit: int | None = None,
    parameters: Mapping[str, str] = NO_PARAMETERS,
    clock: Clock | None = None,
    openers: Openers = BY_URL,
    lease_seconds: float = LEASE_SECONDS,
    patience: Patience = PATIENT,
) -> JSON:
    """Run the job until it is complete and return its result, recovering what an earlier run left half done.

    Once it holds the lease, it meets passing faults with ``patience``; ``clock`` is what it waits by.
    ``accept_changed`` names half-done objects that go on although they are declared otherwise now. ``recheck``: look
    again at all ranges that are done, also of a job that is complete. ``catch_up_limit``: the most passes for what
    changed at the source meanwhile (None: as many as are usual). ``parameters`` are given by name, as text. Raises what
    ended the run: PlanError before anything is written, LeaseHeld, LeaseLost, Interrupted, another MilepostError, or
    what the user's own step raised.
    """
    if not isinstance(job, Migration) and (recheck or catch_up_limit is not None):
        raise PlanError(f"{job.name} is a job of your own steps: it has no source that could have changed")
    clock = clock or SystemClock()
    start = partial(
        _start,
        job,
        store_url(job, urls),
        openers=openers,
        emit=emit,
        stop=stop,
        ttl=lease_seconds,
        patience=patience,
        clock=clock,
    )
    if not isinstance(job, Migration):
        settle_first(job, parameters, store_url(job, urls), openers)
        return start(partial(_body, job=job, given=parameters), reopen=False)
    with closing(migrating_of(job, urls, clock, openers, parameters)) as migrating:
        migrating.recheck = recheck
        if catch_up_limit is not None:
            migrating.catch_up_limit = catch_up_limit
        look_first(job.name, store_url(job, urls), openers, emit)
        migrating.prepare(accept_changed, stop)
        for name, message in migrating.told.items():
            emit(Told(path=name, message=message))
        return start(migrating.main, reopen=migrating.unfinished)


def plan(migration: Migration, urls: Urls = NO_URLS, *, parameters: Mapping[str, str] = NO_PARAMETERS) -> Plan:
    """What ``run`` would do now. Strictly read-only. Raises PlanError where it cannot work."""
    with closing(migrating_of(migration, urls, SystemClock(), BY_URL, parameters)) as migrating:
        migrating.prepare(frozenset())
        return migrating.plan(hide_password(store_url(migration, urls)))


def rewind(job: Job | Migration, urls: Urls, path: str) -> int:
    """Forget the checkpoint ``path`` and all below it, so that it is done again; "" is the whole job.

    Returns how many were forgotten. Rows that were loaded stay where they are. Raises LeaseHeld while a run goes on.
    """
    with closing(opened(store_url(job, urls), BY_URL)) as store:
        lease = store.acquire(job.name, holder=this_process(), ttl=LEASE_SECONDS)
        try:
            with store.transaction(lease):
                forgotten = store.rewind(lease, path)
                if path and name_of(path) in store.recall(job.name, ""):
                    store.replace(lease, "", name_of(path), None)
        finally:
            store.release(lease, outcome="rewound")
    return forgotten


def store_url(job: Job | Migration, urls: Urls = NO_URLS) -> str:
    """Where the job's store is: as said, else with the target, else ``NAME.milepost.db`` beside the job's file."""
    url = urls.store or job.store
    if url is None and isinstance(job, Migration):
        url = urls.target or job.target
        if url is None and not _only_sends(job):
            raise PlanError(f"{job.name} has no target", hint="Give the migration a URL, or the command --target URL.")
    if url is not None:
        return expand(url)
    file = job.file if isinstance(job, Job) else file_of(job.objects[0].target)
    beside = Path() if file is None else file.parent
    return f"sqlite:///{beside / f'{job.name}.milepost.db'}"


def _body(checkpoint: Checkpoint, *, job: Job, given: Mapping[str, str]) -> JSON:
    checkpoint.settle(job.parameters, given)  # again, now that nobody else can write
    return job.body(checkpoint)


def _only_sends(migration: Migration) -> bool:
    """Whether nothing of it goes to a database, in which a store could be."""
    return bool(migration.objects) and all(isinstance(each.target, Sink) for each in migration.objects)


def migrating_of(
    migration: Migration, urls: Urls, clock: Clock, openers: Openers, parameters: Mapping[str, str]
) -> Migrating:
    """An attempt at the migration by these URLs, which has looked at nothing yet."""
    return Migrating(
        migration,
        source=urls.source or migration.source,
        target=urls.target or migration.target,
        store=store_url(migration, urls),
        clock=clock,
        openers=openers,
        parameters=parameters,
    )


def opened(url: str, openers: Openers) -> Store:
    store = openers.store(url, create=True)
    if store is None:
        raise StoreError(f"the store {hide_password(url)} could not be opened")
    return store


def _start(
    job: Job | Migration,
    url: str,
    main: Callable[[Checkpoint], JSON],
    *,
    openers: Openers,
    emit: Emit,
    stop: Stop | None,
    ttl: float,
    reopen: bool,
    patience: Patience,
    clock: Clock,
) -> JSON:
    with closing(opened(url, openers)) as store:
        return run_to_end(
            job.name,
            main,
            store=store,
            emit=emit,
            stop=stop,
            ttl=ttl,
            reopen=reopen,
            patience=patience,
            clock=clock,
        )
