"""Run the rejected rows again: the command ``rejects retry``."""

from __future__ import annotations

from functools import partial

from milepost.cli.asked import Asked
from milepost.cli.explain import COMPLETE
from milepost.cli.run import draw, rejected
from milepost.errors import PlanError
from milepost.migration.migration import Migration
from milepost.wiring.retry import retry


def retry_and_tell(asked: Asked, only: str | None) -> int:
    """Carry it out, drawn as a run is; the exit status. Raises PlanError for a job that is no migration."""
    job = asked.load()
    if not isinstance(job, Migration):
        raise PlanError(f"{job.name} is a job of your own steps: it has no rejected rows to try again")
    act = partial(retry, job, urls=asked.urls, only=only, parameters=asked.parameters)
    shown, status, _ = draw(job, act, urls=asked.urls, out=asked.out)
    if status == COMPLETE:
        shown.complete(asked.reference, rejected(job, asked.urls, shown))
    return status
