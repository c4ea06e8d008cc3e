"""What is crash tested: a run, or what is done to a migration that was run before."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from milepost.errors import PlanError
from milepost.jobs.job import Job
from milepost.migration.migration import Migration
from milepost.wiring.retry import retry
from milepost.wiring.run import run


class Action(StrEnum):
    """Done again and again until it completes. All but a run begin where the real databases stand: see ``anew``."""

    RUN = "run"
    RECHECK = "recheck"  # milepost run --recheck
    RETRY = "retry"  # milepost rejects retry
    REPAIR = "repair"  # milepost verify --repair

    @property
    def anew(self) -> bool:
        """Whether what the store knows is left out of the copies, so that the job begins anew."""
        return self is Action.RUN


def act(action: Action, job: Job | Migration, **settings: Any) -> None:
    """Carry it out with the settings that all of them take, as :func:`milepost.wiring.run.run` does."""
    if action is Action.RUN:
        run(job, **settings)
        return
    if not isinstance(job, Migration):
        raise PlanError(
            f"{job.name} is a job of your own steps: there is no {action} of it", hint="Crash test its run."
        )
    match action:
        case Action.RECHECK:
            accepted = frozenset(each.name for each in job.objects)  # though their sources are copies now
            run(job, recheck=True, accept_changed=accepted, **settings)
        case Action.RETRY:
            retry(job, **settings)
        case Action.REPAIR:
            _repair(job, **settings)


def _repair(job: Migration, **settings: Any) -> None:
    from milepost.wiring.verify import verify

    verify(job, repair=True, **settings)
