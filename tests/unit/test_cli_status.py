"""The status of a job in words, for every way in which a run can stand."""

from datetime import UTC, datetime, timedelta

import pytest

from milepost.cli.status import Status, as_document, ending, headline, state_of
from milepost.jobs.lease import Run
from milepost.jobs.state import Failure, Record, State

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def run(epoch: int, *, outcome: str | None = None, error: str | None = None) -> Run:
    return Run(
        job="crm",
        epoch=epoch,
        holder="host, process 7",
        started_at=START,
        seen_at=START + timedelta(seconds=20),
        lease_until=START + timedelta(seconds=80),
        ended_at=None if outcome is None else START + timedelta(seconds=30),
        outcome=outcome,
        error=error,
    )


def status(state: State, *runs: Run, after: float, dead: bool = False) -> Status:
    checkpoints = (Record(path="", state=state, attempt=1), Record(path="invoice", state=state, attempt=1))
    now = START + timedelta(seconds=after)
    return Status(job="crm", store="s", now=now, dead=dead, runs=runs, checkpoints=checkpoints)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            status(State.STARTED, run(1), after=30),
            "running; run 1 by host, process 7, last sign of life 10s ago, lease until 2026-11-23 12:01:20 UTC",
        ),
        (
            status(State.STARTED, run(1), after=30, dead=True),
            "started, not running; run 1 by host, process 7 was killed, last sign of life 10s ago",
        ),
        (
            status(State.STARTED, run(1), after=80),
            "started, not running; run 1 by host, process 7 let its lease lapse, last sign of life 1m 00s ago",
        ),
        (status(State.ROLLING_BACK, run(1), after=30, dead=True), "rolling back, not running; run 1"),
        (status(State.FAILED, run(1, outcome="failed"), after=99), "failed; run 1, failed"),
        (status(State.FAILED, run(1, outcome="interrupted"), after=99), "interrupted; run 1"),
        (status(State.COMPLETE, run(1, outcome="complete"), after=99), "complete"),
        (Status(job="crm", store="s", now=None), "pending"),
    ],
)
def test_the_headline_says_how_the_job_stands(found: Status, words: str) -> None:
    assert headline(found).startswith(words)


def test_a_checkpoint_that_no_run_works_on_does_not_look_like_a_running_one() -> None:
    going, killed = status(State.STARTED, run(1), after=30), status(State.STARTED, run(1), after=30, dead=True)

    assert state_of(going.checkpoints[1], going) == "started"
    assert state_of(killed.checkpoints[1], killed) == "started, not running"


def test_a_run_without_an_end_that_another_followed_was_killed() -> None:
    found = status(State.STARTED, run(1), run(2, outcome="failed", error="disk full\nmore"), run(3), after=30)

    assert [ending(each, found) for each in found.runs] == ["was killed", "failed: disk full", "running"]


def test_the_document_tells_of_the_lease_and_of_errors() -> None:
    failed = Record(path="a", state=State.FAILED, failure=Failure(kind="error", message="disk full"))
    found = Status(job="crm", store="s", now=START + timedelta(seconds=90), runs=(run(4),), checkpoints=(failed,))

    document = as_document(found)

    assert (document["state"], document["epoch"]) == ("pending", 4)
    assert (document["lease"]["holder"], document["lease"]["lapsed"]) == ("host, process 7", True)
    assert document["checkpoints"][0]["error"] == "disk full"


def test_a_rewound_job_did_not_fail() -> None:
    rewound = Failure(kind="rewound", message="something below it was forgotten")
    root = Record(path="", state=State.FAILED, failure=rewound)
    found = Status(job="crm", store="s", now=START, runs=(run(2, outcome="rewound"),), checkpoints=(root,))

    assert headline(found) == "rewound, to be done again"
    assert state_of(root, found) == "rewound"


def test_the_document_shows_no_password_of_a_url() -> None:
    text = "cannot reach postgresql://anna:tr0ub4dor@h/d"
    failed = Record(path="a", state=State.FAILED, failure=Failure(kind="error", message=text))
    found = Status(job="crm", store="s", now=START, runs=(run(1, outcome="failed", error=text),), checkpoints=(failed,))

    assert "tr0ub4dor" not in str(as_document(found))
    assert "tr0ub4dor" not in ending(found.runs[0], found)
