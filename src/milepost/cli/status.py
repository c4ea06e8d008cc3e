"""What the store knows of a job: the command ``status``. Reads only, also while a run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, TextIO

from milepost.cli.again import other_command
from milepost.cli.human import duration, key, moment, number
from milepost.cli.lines import write_line
from milepost.cli.looking import count_rejects, look, shown_url
from milepost.errors import mask
from milepost.jobs.job import Job
from milepost.jobs.lease import Run
from milepost.jobs.ledger import Counts
from milepost.jobs.state import Record, State
from milepost.migration.migration import Migration
from milepost.migration.passes import AS_OF, AS_OF_IN_WORDS, VANISHED
from milepost.migration.sight import as_of_in_words
from milepost.migration.vanished import Left
from milepost.wiring.emptied import say_emptied
from milepost.wiring.run import Urls

LATEST_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Status:
    """A job as its store knows it. ``now`` is the store's time (None: there is no store yet).

    ``as_of`` is when the target was last found as its source is, ISO 8601, and in words with what nobody looked for.
    ``left``: by object, how many rows the target holds that the source has no more. ``dead``: the latest run provably
    ended without recording it. ``rejects`` is how many rows are rejected now. ``told``: what else there is to say, in
    lines.
    """

    job: str
    store: str
    now: datetime | None
    dead: bool = False
    runs: tuple[Run, ...] = ()
    checkpoints: tuple[Record, ...] = ()
    rejects: int = 0
    as_of: str | None = None
    as_of_in_words: str | None = None
    left: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """The state of the job's own checkpoint."""
        return next((record.state for record in self.checkpoints if not record.path), State.PENDING)

    @property
    def open_run(self) -> Run | None:
        """The latest run if its end is not recorded: it goes on, or was killed."""
        return self.runs[-1] if self.runs and self.runs[-1].ended_at is None else None

    @property
    def running(self) -> bool:
        """Whether a run goes on, as far as can be known: its lease holds, and it is not provably dead."""
        return self.open_run is not None and not self.lapsed and not self.dead

    @property
    def lapsed(self) -> bool:
        """Whether that run's lease is over: another may start at once."""
        run = self.open_run
        return run is not None and self.now is not None and self.now >= run.lease_until


def show_status(job: Job | Migration, urls: Urls, out: TextIO | None, reference: str) -> None:
    """Write the status as one JSON object to ``out``, or for people to standard output."""
    found = read(job, urls)
    if out is not None:
        write_line(out, as_document(found))
    else:
        _draw(found, reference)


def read(job: Job | Migration, urls: Urls) -> Status:
    """Ask the store."""
    with look(job, urls) as store:
        if store is None:
            return Status(job=job.name, store=shown_url(job, urls), now=None)
        checkpoints = tuple(store.checkpoints(job.name))
        found = Status(
            job=job.name,
            store=store.url,
            now=store.now(),
            dead=store.is_dead(job.name),
            runs=tuple(store.runs(job.name)),
            checkpoints=checkpoints,
            rejects=count_rejects(store, job, checkpoints),
            as_of=(values := store.recall(job.name, "")).get(AS_OF),
            as_of_in_words=values.get(AS_OF_IN_WORDS),
            left=values.get(VANISHED) or {},
        )
    if isinstance(job, Job):
        return found
    emptied = say_emptied(job, found.checkpoints, urls.target or job.target)
    left = (Left.of_json(rows).in_words(name) for name, rows in found.left.items())
    return replace(found, told=(*emptied, *left))


def as_document(status: Status) -> dict[str, Any]:
    """The status as JSON. The fields are part of the public face."""
    run = status.open_run
    return {
        "job": status.job,
        "state": status.state,
        "epoch": status.runs[-1].epoch if status.runs else 0,
        "store": status.store,
        "lease": None
        if run is None
        else {
            "holder": run.holder,
            "until": run.lease_until,
            "seen_at": run.seen_at,
            "lapsed": status.lapsed,
            "dead": status.dead,
        },
        "runs": [_run(run) for run in status.runs],
        "checkpoints": [_checkpoint(record) for record in status.checkpoints],
        "rejects": status.rejects,
        "as_of": status.as_of,
        "left": status.left,
        "told": [mask(each) for each in status.told],
    }


def _run(run: Run) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(run).items() if name != "job"}
    return {**fields, "error": None if run.error is None else mask(run.error)}


def _checkpoint(record: Record) -> dict[str, Any]:
    return {
        "path": record.path,
        "state": record.state,
        "attempt": record.attempt,
        "position": record.position,
        **asdict(record.counts),
        "batches": record.batches,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "error": None if record.failure is None else mask(record.failure.message),
    }


def headline(status: Status) -> str:
    """The state in words, with who runs it, or ran it last."""
    run = status.open_run
    if run is None:
        if any(not record.path and _is_rewound(record) for record in status.checkpoints):
            return "rewound, to be done again"
        ended = status.runs[-1] if status.runs else None
        if ended is not None and ended.outcome == "interrupted" and status.state is State.FAILED:
            return f"interrupted; run {ended.epoch}"  # asked to stop, it did not fail
        by = "" if ended is None or status.state is State.COMPLETE else f"; run {ended.epoch}, {ended.outcome}"
        return f"{status.state}{by}"
    sign = "" if status.now is None else f", last sign of life {_since(run.seen_at, status.now)} ago"
    if status.running:
        doing = "rolling back" if status.state is State.ROLLING_BACK else "running"
        return f"{doing}; run {run.epoch} by {run.holder}{sign}, lease until {moment(run.lease_until)}"
    state = State.STARTED if status.state in {State.PENDING, State.FAILED} else status.state
    return f"{state}, not running; run {run.epoch} by {run.holder} {_unrecorded(status)}{sign}"


def state_of(record: Record, status: Status) -> str:
    """A checkpoint's state for people: what no run works on any more does not look as if it were running."""
    if record.state in {State.STARTED, State.ROLLING_BACK} and not status.running:
        return f"{record.state}, not running"
    if (
        record.state is State.FAILED
        and record.failure is not None
        and record.failure.kind in {"rewound", "interrupted"}
    ):
        return record.failure.kind
    return str(record.state)


def _is_rewound(record: Record) -> bool:
    """Whether it was complete until something below it was forgotten: nothing failed."""
    return record.state is State.FAILED and record.failure is not None and record.failure.kind == "rewound"


def _unrecorded(status: Status) -> str:
    """What became of the open run that does not go on. One that is only asleep cannot write any more either."""
    return "was killed" if status.dead else "let its lease lapse"


def _since(then: datetime, now: datetime) -> str:
    return duration((now - then).total_seconds())


def _draw(status: Status, reference: str) -> None:
    from rich.text import Text

    from milepost.cli.tables import console, show

    screen = console()
    screen.print(Text.assemble((status.job, "bold"), f": {headline(status)}"), soft_wrap=True)
    if status.as_of is not None:
        screen.print(Text(status.as_of_in_words or as_of_in_words(status.as_of)), soft_wrap=True)
    screen.print(f"store {status.store}{'' if status.runs else ' (none yet)'}", style="dim", soft_wrap=True)
    below = [record for record in status.checkpoints if record.path]
    if below:
        screen.print()
        show(screen, _checkpoints(below, status))
    for record in status.checkpoints:
        if record.failure is not None and record.state is not State.COMPLETE:
            where = record.path or status.job
            rewound = _is_rewound(record)
            said = record.failure.message if rewound else f"{record.failure.kind}: {record.failure.message}"
            screen.print(Text(mask(f"{where}: {said}"), style="" if rewound else "red"))
    for text in status.told:
        screen.print(Text(mask(text), style="yellow"), soft_wrap=True)
    if status.runs:
        screen.print()
        show(screen, _runs(status))
    for text in _next(status, reference):
        screen.print(f"\n{text}", soft_wrap=True)


def _next(status: Status, reference: str) -> Iterator[str]:
    if status.state is State.COMPLETE:
        if status.rejects:
            yield f"{number(status.rejects)} rejected: {other_command('rejects', reference)}"
    elif not status.running:
        word = "start" if status.state is State.PENDING else "resume"
        yield f"To {word}: {other_command('run', reference)}"


def _checkpoints(records: Sequence[Record], status: Status) -> Any:
    from milepost.cli.tables import table

    made = table(
        "path:checkpoint", "left:state", "attempt", "left:position",
        "read", "loaded", "unchanged", "filtered", "rejected", "batches",
        drop=["batches", "attempt", "position", "unchanged", "filtered"],
    )  # fmt: skip
    for record in records:
        counts = _counts(record.counts) if record.batches else [""] * 5
        made.add_row(
            record.path,
            state_of(record, status),
            str(record.attempt),
            "" if record.state is State.COMPLETE else key(record.position, width=32),
            *counts,
            number(record.batches) if record.batches else "",
        )
    return made


def _counts(counts: Counts) -> list[str]:
    return [number(count) for count in (counts.read, counts.loaded, counts.unchanged, counts.filtered, counts.rejected)]


def _runs(status: Status) -> Any:
    from milepost.cli.tables import table

    made = table(
        "run", "left:started", "left:last sign of life", "left:by", "wrap:ended", drop=["last sign of life", "by"]
    )
    for run in status.runs[-LATEST_RUNS:]:
        made.add_row(str(run.epoch), moment(run.started_at), moment(run.seen_at), run.holder, ending(run, status))
    return made


def ending(run: Run, status: Status) -> str:
    """How a run ended, in one line. One that another took over after it had left no end was killed."""
    if run.ended_at is None:
        if run is not status.open_run:
            return "was killed"
        return "running" if status.running else _unrecorded(status)
    error = "" if run.error is None or run.outcome == "interrupted" else f": {mask(run.error).partition(chr(10))[0]}"
    return f"{run.outcome}{error}"
