"""A job that must be given a parameter can be crash tested with one, and its rounds are played again with it."""

from pathlib import Path

from run_command import milepost

JOB = """
from milepost import Job

job = Job("given", parameters={"region": None})


@job.step
def note(cp, number):
    return f"{cp.parameters['region']} {number}"


@job.main
def main(cp):
    return [note(number) for number in range(3)]
"""


def test_a_crash_test_is_given_the_jobs_parameters(tmp_path: Path) -> None:
    (tmp_path / "given.py").write_text(JOB)

    few = ["crashtest", "given.py", "--points", "2", "--random", "0", "--faults", "kill"]
    without = milepost(tmp_path, *few)
    done = milepost(tmp_path, *few, "-p", "region=EMEA", "--json")

    assert without.status == 2
    assert "region" in without.err
    assert done.status == 0, done.err
    assert done.document["ok"] is True
    assert len(done.document["rounds"]) >= 2
