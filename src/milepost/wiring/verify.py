"""Compare a migration's source and target, and put right what differs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from glob import escape
from hashlib import sha256
from pathlib import Path

from milepost.clock import Clock, SystemClock
from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.event import Emit, Event, Told, ignore
from milepost.jobs.parameters import NO_PARAMETERS
from milepost.jobs.retry import PATIENT, Patience
from milepost.jobs.runner import run as run_to_end
from milepost.jobs.state import JSON, State
from milepost.jobs.stop import Stop
from milepost.jobs.store import Store
from milepost.migration.migration import Migration
from milepost.migration.passes import PASSES, Pass, recorded
from milepost.migration.repair import REPAIR, left_open
from milepost.migration.verified import Verified, VerifiedObject
from milepost.wiring.early import look_first
from milepost.wiring.mending import Mending
from milepost.wiring.migrate import Migrating
from milepost.wiring.openers import BY_URL, Openers
from milepost.wiring.run import LEASE_SECONDS, NO_URLS, Urls, migrating_of, opened, store_url
from milepost.wiring.verifying import Verifying

EXAMPLES = 10
SUBJECT = "subject"  # under which name a comparison's own store remembers what it compares, and its seed
AT_ONCE = Patience(tries=1)
Objects = tuple[VerifiedObject, ...]


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """What the runs of one comparison share."""

    emit: Emit
    stop: Stop | None
    clock: Clock
    openers: Openers
    ttl: float
    patience: Patience


def verify(
    migration: Migration,
    *,
    urls: Urls = NO_URLS,
    repair: bool = False,
    sample: float | None = None,
    seed: int | None = None,
    only: str | None = None,
    most: int = EXAMPLES,
    parameters: Mapping[str, str] = NO_PARAMETERS,
    beside: Path | None = None,
    emit: Emit = ignore,
    stop: Stop | None = None,
    clock: Clock | None = None,
    openers: Openers = BY_URL,
    lease_seconds: float = LEASE_SECONDS,
    patience: Patience = PATIENT,
) -> Verified:
    """Compare every row of the source with the target, through the functions that move it; see Verified.

    Source, target and store are only read, unless ``repair``: then rows that are missing or differ are loaded again,
    and those that nothing accounts for deleted where the migration deletes. ``sample`` is a share of the rows, drawn by
    ``seed``; ``only`` the name of the object to compare; ``most`` how many examples of each kind are kept. Its own
    progress is in the folder ``beside`` (default: the present one) until it is done, so that it resumes.

    Raises PlanError where nothing was moved yet, or a repair is asked for before the migration is complete.
    """
    clock = clock or SystemClock()
    run = _Runs(emit=emit, stop=stop, clock=clock, openers=openers, ttl=lease_seconds, patience=patience)
    url = store_url(migration, urls)
    with closing(migrating_of(migration, urls, clock, openers, parameters)) as migrating:
        migrating.look()
        _check(migrating, repair=repair)
        store = openers.store(url, create=False)
        if store is None:
            raise PlanError(f"{migration.name} has moved nothing yet: there is nothing to compare", hint=_RUN_FIRST)
        with closing(store), closing(Verifying(migrating, store, only=only, share=sample, most=most)) as verifying:
            file = (beside or Path()).resolve() / f"{migration.name}.verify.milepost.db"
            with _progress(file, verifying, run, seed=seed, repair=repair) as progress:
                objects = _compare(verifying, progress, run, url=url, repair=repair)
    return Verified(
        job=migration.name,
        objects=objects,
        sample=sample,
        seed=None if sample is None else verifying.seed,
        repaired=repair,
    )


_RUN_FIRST = "milepost run FILE does the rest."
_GIVEN_UP = (
    "a comparison that was interrupted is given up: this one compares other things, or by other options, or more was"
    " moved since"
)


def _check(migrating: Migrating, *, repair: bool) -> None:
    if repair and migrating.unfinished:
        raise PlanError(
            f"{migrating.migration.name} is not complete, and only what is complete can be repaired", hint=_RUN_FIRST
        )


@contextmanager
def _progress(file: Path, verifying: Verifying, run: _Runs, *, seed: int | None, repair: bool) -> Iterator[Store]:
    """The comparison's own store: as an interrupted one left it, else a new one. When all is done it is removed."""
    url, job = f"sqlite:///{file}", _own_job(verifying)
    look_first(job, url, run.openers, run.emit)
    subject = sha256(json.dumps([verifying.subject, repair], sort_keys=True).encode()).hexdigest()
    before = _remembered(url, job, run.openers).get(SUBJECT) or {}
    goes_on = before.get("is") == subject and seed in {None, before["seed"]}
    verifying.seed = before["seed"] if goes_on else random.randrange(2**31) if seed is None else seed  # noqa: S311
    if goes_on:
        run.emit(Told(message="going on with the comparison that was interrupted"))
    else:
        if before:
            run.emit(Told(message=_GIVEN_UP))
        _remove(file)
    with closing(opened(url, run.openers)) as store:
        verifying.identity = {"is": subject, "seed": verifying.seed}
        yield store
    _remove(file)


def _remembered(url: str, job: str, openers: Openers) -> dict[str, JSON]:
    """What an interrupted comparison remembers; nothing where there is none, or it came to its end."""
    store = openers.store(url, create=False)
    if store is None:
        return {}
    with closing(store):
        record = store.get(job, "")
        return {} if record is None or record.state is State.COMPLETE else store.recall(job, "")


def _remove(file: Path) -> None:
    for each in (file, *file.parent.glob(f"{escape(file.name)}-*")):
        each.unlink(missing_ok=True)


def _own_job(verifying: Verifying) -> str:
    return f"{verifying.job} verify"


def _compare(verifying: Verifying, progress: Store, run: _Runs, *, url: str, repair: bool) -> Objects:
    """Run the comparison; where it repairs, within a run of the job itself, which holds its lease."""
    found: list[Objects] = []
    if not repair:
        _run(_own_job(verifying), partial(_main, verifying, found), progress, run)
        return found[-1]

    def mend(root: Checkpoint) -> JSON:
        # a fault that passes is met by the job's own run: it may be its store that is out of reach
        _run(_own_job(verifying), partial(_mend, verifying, found, root), progress, replace(run, patience=AT_ONCE))

    with closing(opened(url, run.openers)) as store:
        _run(verifying.job, mend, store, replace(run, emit=partial(_told_only, run.emit)), reopen=True)
    return found[-1]


def _run(job: str, main: Callable[[Checkpoint], JSON], store: Store, run: _Runs, *, reopen: bool = False) -> None:
    run_to_end(
        job,
        main,
        store=store,
        emit=run.emit,
        stop=run.stop,
        ttl=run.ttl,
        reopen=reopen,
        patience=run.patience,
        clock=run.clock,
    )


def _main(verifying: Verifying, found: list[Objects], checkpoint: Checkpoint) -> JSON:
    checkpoint.remember(SUBJECT, verifying.identity)
    found.append(verifying.main(checkpoint, None))


def _mend(verifying: Verifying, found: list[Objects], root: Checkpoint, checkpoint: Checkpoint) -> JSON:
    """Compare and repair, as one pass of the job at ``root``; the same one after an interruption."""
    checkpoint.remember(SUBJECT, verifying.identity)
    passes = root.recall().get(PASSES) or {}
    last = recorded({PASSES: passes}, REPAIR)
    number = checkpoint.remember(REPAIR, last.number + 1)
    before = left_open(last, [each.name for each in verifying.migrating.objects])
    one = Pass(number=number, open=True, unsettled=last.unsettled if last.number == number else tuple(before))
    root.replace(PASSES, {**passes, REPAIR: one.as_json()})
    found.append(verifying.main(checkpoint, Mending(root, one, verifying.routes, verifying.pin)))
    root.replace(PASSES, {**(root.recall().get(PASSES) or {}), REPAIR: one.over(epoch=one.epoch).as_json()})


def _told_only(emit: Emit, event: Event) -> None:
    """Of the job's own run: what must be read. What it does is told by the comparison."""
    if isinstance(event, Told):
        emit(event)
