"""Run a job and show it: the command ``run``, and what ``job.run()`` in a user's own file does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TextIO, TypeVar

from milepost.cli.again import other_command, this_command
from milepost.cli.explain import COMPLETE, FAILED, INTERRUPTED, Explanation, explain, hide_secrets
from milepost.cli.face import Face, choose_face
from milepost.cli.human import rows
from milepost.cli.lines import as_document, write_line
from milepost.cli.looking import rejected_now
from milepost.cli.report import error_document, say_on_stderr, show_explanation
from milepost.cli.streams import fall_silent, open_missing, quiet_drivers, unheard
from milepost.cli.telling import completed
from milepost.cli.view import Standing, View, branch_of, counted, is_only_counted, seen, total
from milepost.clock import Clock, SystemClock
from milepost.databases.url import expand
from milepost.errors import PlanError
from milepost.jobs.event import CheckpointSkipped, Event, Told
from milepost.jobs.job import Job
from milepost.jobs.state import JSON
from milepost.jobs.stop import Stop, catch_signals
from milepost.migration.migration import Migration
from milepost.wiring.run import NO_URLS, Urls, run

Result = TypeVar("Result")

TOGETHER = 100  # checkpoints passed over that are drawn at once: a resumed job may pass over 100,000 a second


def run_and_draw(
    job: Job | Migration,
    *,
    urls: Urls = NO_URLS,
    out: TextIO | None = None,
    reference: str | None = None,
    **options: Any,
) -> tuple[int, JSON]:
    """Run the job, drawing it on standard error; the exit status, and the job's result when that is 0.

    Events go to ``out`` as JSON lines where it is given. ``reference`` is the FILE that the command was given;
    ``options`` are those of :func:`milepost.wiring.run.run`.
    """
    shown, status, result = draw(job, partial(run, job, urls=urls, **options), urls=urls, out=out)
    if status == COMPLETE:
        shown.complete(reference, rejected(job, urls, shown))
    return status, result


def draw(
    job: Job | Migration, act: Callable[..., Result], *, urls: Urls, out: TextIO | None, lines: bool = True
) -> tuple[Showing, int, Result | None]:
    """Call ``act(emit=, stop=, clock=)``, drawing what it emits; the exit status, and what it returned if that is 0.

    Events go to ``out`` too where it is given, unless ``lines`` is False; what ended it goes there in either case.
    """
    open_missing()
    quiet_drivers()
    clock = SystemClock()
    shown = Showing(clock=clock, urls=known_urls(job, urls), out=out, objects=_objects(job), lines=lines)
    stop = Stop()
    try:
        with catch_signals(stop, on_request=shown.face.stopping):
            result = act(emit=shown.emit, stop=stop, clock=clock)
    except BaseException as error:  # noqa: BLE001 - whatever ended the run is shown, and told by the exit status
        shown.close()
        return shown, shown.fail(error), None
    shown.close()
    return shown, COMPLETE, result


def rejected(job: Job | Migration, urls: Urls, shown: Showing) -> int | None:
    """How many rows are rejected now, whatever run or pass rejected them; None where nobody knows."""
    return rejected_now(job, urls) if isinstance(job, Migration) else total(shown.view).rejected


class Showing:
    """One run as it is shown: the view so far, where it is drawn, and the JSON lines."""

    def __init__(
        self, *, clock: Clock, urls: list[str], out: TextIO | None, objects: frozenset[str], lines: bool = True
    ) -> None:
        self.clock = clock
        self.lines = lines  # every event is one on ``out``
        self.hide = partial(hide_secrets, urls=urls)
        self.out = out
        self.people = out is None  # standard output is the user's own
        self.objects = objects
        self.view = View(objects=objects)
        self.passed: list[CheckpointSkipped] = []  # not drawn yet
        self.warned: list[str] = []  # objects of which something was told before the run began
        self.turn = threading.Lock()
        self.face: Face = choose_face(
            live=out is None or not out.isatty(), clock=clock, hide=self.hide, objects=objects
        )

    def emit(self, event: Event) -> None:
        """Draw the event. Events of several threads take turns."""
        with self.turn:
            if self.out is not None and self.lines:
                self._write(as_document(event, self.clock.now(), self.hide))
            if not isinstance(event, CheckpointSkipped) or not self._is_only_counted(event):
                self._show(event)
                return
            self.passed.append(event)
            if len(self.passed) >= TOGETHER:
                self._count()

    def _is_only_counted(self, event: CheckpointSkipped) -> bool:
        return is_only_counted(self.view, event) and event.path not in self.objects

    def _show(self, event: Event) -> None:
        self._count()
        if isinstance(event, Told) and event.path and not self.view.job:
            self.warned.append(event.path)
        self.view = seen(self.view, event, self.clock.monotonic())
        with self._saying():
            self.face.show(event, self.view)

    def _count(self) -> None:
        if self.passed:
            self.view = counted(self.view, self.passed)
            with self._saying():
                self.face.count(self.passed, self.view)
            self.passed = []

    def close(self) -> None:
        self._count()
        with self._saying():
            self.face.close()

    def complete(self, reference: str | None, rejected: int | None) -> None:
        """Say so. ``rejected`` is how many rows are rejected now."""
        with self._saying():
            self._complete(reference, rejected)

    def _complete(self, reference: str | None, rejected: int | None) -> None:
        self._summary()
        took = self.clock.monotonic() - (self.view.started or self.clock.monotonic())
        said = completed(self.view, took)
        if branch_of(self.view, "").standing is Standing.SKIPPED:
            said = "complete already; nothing was left to do"
        but = f", but see what is told above of {', '.join(self.warned)}" if self.warned else ""
        say_on_stderr(f"{self.view.job}: {said}{but}.", style="yellow" if but else "green")
        if self.view.as_of:
            say_on_stderr(f"{self.view.as_of[0].upper()}{self.view.as_of[1:]}.")
        if rejected:
            where = "" if reference is None else f": {other_command('rejects', reference)}"
            say_on_stderr(f"{rows(rejected)} rejected, kept in the store{where}", style="yellow")

    def fail(self, error: BaseException) -> int:
        """Show what ended the run and what to do next; the exit status."""
        explained = explain(error, started=bool(self.view.job))
        if not self.lines:
            self._write(error_document(explained, self.hide))
        elif self.view.outcome is None:
            self._write({"event": "error", **error_document(explained, self.hide)})
        with self._saying():
            self._explain(explained, error)
        return explained.status

    def _explain(self, explained: Explanation, error: BaseException) -> None:
        started = bool(self.view.job)
        if started:
            self._summary()
        show_explanation(explained, self.hide, error)
        if started and explained.status in {FAILED, INTERRUPTED}:
            kept = ["What is committed stays."] if explained.status == FAILED else []
            then = [f"Run the same command again to resume: {this_command()}"] if explained.resumes else []
            say_on_stderr(" ".join([*kept, *then]), style="bold")

    def _write(self, document: Any) -> None:
        """A JSON line, where they are wanted and somebody reads them."""
        if self.out is None:
            return
        try:
            write_line(self.out, document)
        except OSError as error:
            fall_silent(self.out.fileno())
            self.out = None
            with self._saying():
                self.face.say(f"standard output takes no more ({error.strerror}); the job goes on without it")

    def _saying(self) -> AbstractContextManager[None]:
        """Draw or say. With JSON lines, what the user's own code prints goes to standard error too."""
        return unheard(*((2,) if self.people else (1, 2)))

    def _summary(self) -> None:
        from milepost.cli.draw import summary
        from milepost.cli.tables import console, plain_signs, show

        screen = console(to_stderr=True)
        if self.view.branches.keys() - {""}:
            show(screen, summary(self.view, self.clock.monotonic(), plain=plain_signs(screen)))


def known_urls(job: Job | Migration, urls: Urls) -> list[str]:
    """Every URL that the job may connect to, environment variables put in: their passwords are not to be shown."""
    given = [urls.source, urls.target, urls.store, job.store]
    if isinstance(job, Migration):
        given += [job.source, job.target]
        given += [getattr(place, "database", None) for each in job.objects for place in (each.source, each.target)]
    return [_expanded(url) for url in given if url is not None]


def _objects(job: Job | Migration) -> frozenset[str]:
    return frozenset(each.name for each in job.objects) if isinstance(job, Migration) else frozenset()


def _expanded(url: str) -> str:
    try:
        return expand(url)
    except PlanError:
        return url
