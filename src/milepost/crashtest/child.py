"""One process of a round: ``python -m milepost.crashtest.child TASK.json``, or a fork of the warmed one."""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from milepost.clock import SystemClock
from milepost.crashtest.action import Action, act
from milepost.crashtest.connections import guard, refused, sever_all
from milepost.crashtest.declared import declared
from milepost.crashtest.fault import Fault, script_named
from milepost.crashtest.journal import Journal
from milepost.crashtest.player import Player
from milepost.crashtest.steps import count_steps, use_scratch
from milepost.crashtest.task import Task, task_of
from milepost.crashtest.wrapped import counted
from milepost.errors import MilepostError, mask
from milepost.jobs.event import Event, RunStarted
from milepost.wiring.find import find
from milepost.wiring.frames import name_of, users_frames
from milepost.wiring.run import Urls

LONGEST_WAIT = 0.05  # seconds: nothing is gained by waiting for a fault that is played once


_CLOCK = SystemClock()


class HastyClock(SystemClock):
    """Waits for an instant only: between two tries of what a fault broke."""

    def sleep(self, seconds: float) -> None:
        super().sleep(min(seconds, LONGEST_WAIT))


def carry_out(task: Task) -> int:
    """Run the job to its end, or to the fault; 0 where it is complete."""
    journal = Journal(task.journal)
    try:
        _run(task, journal)
    except BaseException as error:  # noqa: BLE001 - whatever ended the run is what the round wants to know
        told = refused() or error
        journal.note(end="failed", error=_told(told), hint=getattr(told, "hint", None))
        return 1
    journal.note(end="complete", error="")
    return 0


def _run(task: Task, journal: Journal) -> None:
    started = _CLOCK.monotonic()
    os.chdir(task.folder)
    os.environ.update(task.environment)
    sys.path[:0] = task.python_path
    guard(task.real)
    script = None if task.fault is None else script_named(task.fault)
    player = Player(
        journal,
        script if isinstance(script, Fault) else None,
        clock=SystemClock(),
        stall_seconds=task.stall_seconds,
        sever=sever_all,
    )
    job = find(task.reference)
    urls = Urls(source=task.source, target=task.target, store=task.store)
    if task.ask:
        journal.note(answer=asdict(declared(job, urls)))
        return
    use_scratch(job, task.databases, task.batch_rows)
    count_steps(job, player)

    def emit(event: Event) -> None:
        if isinstance(event, RunStarted) and not player.begun:
            player.begun = True
            journal.note(began=_CLOCK.monotonic() - started)

    act(
        Action(task.action),
        job,
        urls=urls,
        emit=emit,
        clock=HastyClock(),
        parameters=task.parameters,
        openers=counted(_named(task.openers), player),
        lease_seconds=task.lease_seconds,
    )


def _named(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _told(error: BaseException) -> str:
    said = error.message if isinstance(error, MilepostError) else f"{name_of(error)}: {error}"
    return mask("\n".join([said, *users_frames(error)]))


if __name__ == "__main__":
    sys.exit(carry_out(task_of(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
