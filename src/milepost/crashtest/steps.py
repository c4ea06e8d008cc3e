"""A declared job whose steps and rollbacks are effects too, and whose databases are the scratch copies."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from milepost.crashtest.fault import Effect
from milepost.crashtest.player import Player
from milepost.jobs.checkpoint import Checkpoint, active
from milepost.jobs.job import Job
from milepost.migration.migration import Migration
from milepost.migration.table import Sink
from milepost.wiring.ends import place_of

Function = Callable[..., Any]


def count_steps(job: Job | Migration, player: Player) -> None:
    """Make every step, rollback and write of a Sink, as the user wrote it, an effect."""
    _note_transactions(player)
    if isinstance(job, Migration):
        for steps in (job.first, job.between, job.last):
            steps[:] = [replace(step, function=_counted(step.function, Effect.STEP, player)) for step in steps]
        for each in job.objects:
            if each.undo is not None:
                each.undo = _counted(each.undo, Effect.ROLLBACK, player)
            if isinstance(each.target, Sink):  # a frozen value, of this process alone
                object.__setattr__(each.target, "write", _counted(each.target.write, Effect.SINK_WRITE, player))
        return
    for step in job.steps.values():
        step.function = _counted(step.function, Effect.STEP, player)
        if step.undo is not None:
            step.undo = _counted(step.undo, Effect.ROLLBACK, player)


def use_scratch(job: Job | Migration, databases: Mapping[str, str], batch_rows: int | None) -> None:
    """Let objects that name a database of their own use its scratch copy; batches of ``batch_rows`` where given."""
    if not isinstance(job, Migration):
        return
    if batch_rows is not None:
        job.batch_rows = batch_rows
    for each in job.objects:
        for place in (each.source, each.target):
            scratch = databases.get(place_of(getattr(place, "database", None)) or "")
            if scratch is not None:
                object.__setattr__(place, "database", scratch)  # likewise


def _note_transactions(player: Player) -> None:
    """Let the journal say which steps used cp.transaction() or cp.each(): this process runs one job, once."""
    noted: set[str] = set()

    def noting(method: Function) -> Function:
        @functools.wraps(method)
        def call(cp: Checkpoint, *arguments: Any, **settings: Any) -> Any:
            if cp.path not in noted:
                noted.add(cp.path)
                player.journal.note(transaction=cp.path)
            return method(cp, *arguments, **settings)

        return call

    for name in ("transaction", "each"):
        setattr(Checkpoint, name, noting(getattr(Checkpoint, name)))


def _counted(function: Function, effect: Effect, player: Player) -> Function:
    @functools.wraps(function)
    def run(*arguments: Any, **settings: Any) -> Any:
        with player.effect(effect, _path()):
            return function(*arguments, **settings)

    return run


def _path() -> str:
    checkpoint: Checkpoint | None = active()
    return "" if checkpoint is None else checkpoint.path
