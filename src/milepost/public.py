"""The Job and Migration that users declare: the core's, with a ``run`` that does what the command does."""

from __future__ import annotations

from milepost.errors import PlanError
from milepost.jobs import job as core
from milepost.jobs.state import JSON
from milepost.migration import migration
from milepost.wiring.load import being_loaded


class Job(core.Job):
    __doc__ = core.Job.__doc__

    def run(self) -> JSON:
        """Do what ``milepost run`` does: draw the progress, stop at a commit when asked to, recover what was half done.

        Returns the job's result when it is complete; otherwise raises SystemExit with the command's exit status.
        """
        return _run(self)


class Migration(migration.Migration):
    __doc__ = migration.Migration.__doc__

    def run(self) -> None:
        """Do what ``milepost run`` does. Raises SystemExit with its exit status unless it becomes complete."""
        _run(self)


def _run(job: core.Job | migration.Migration) -> JSON:
    if being_loaded.get():
        raise PlanError(
            f"{job.name}.run() was called while the command was only reading the file",
            hint='Put the call under: if __name__ == "__main__":',
        )
    from milepost.cli.run import run_and_draw  # late: a library that is only imported needs no screen

    status, result = run_and_draw(job)
    if status != 0:
        raise SystemExit(status)
    return result
