"""What is decided about a checkpoint that is met, for every record there can be."""

import pytest

from milepost.jobs.recovery import KILLED, Decision, decide, last_failure, recovers
from milepost.jobs.state import Failure, Record, State

ERROR = Failure(kind="error", message="ValueError: no")

# state -> without rollback, with rollback, without and reopened, with and reopened
TABLE = {
    None: ("start", "start", "start", "start"),
    State.PENDING: ("start", "start", "start", "start"),
    State.STARTED: ("resume", "roll back", "resume", "roll back"),
    State.FAILED: ("resume", "roll back", "resume", "roll back"),
    State.ROLLING_BACK: ("refuse", "roll back", "refuse", "roll back"),
    State.ROLLED_BACK: ("start", "start", "start", "start"),
    State.COMPLETE: ("skip", "skip", "start", "start"),
}


def record(state: State | None, failure: Failure | None = None) -> Record | None:
    return None if state is None else Record(path="a", state=state, attempt=1, failure=failure)


def test_the_table_has_every_state() -> None:
    assert set(TABLE) == {None, *State}


@pytest.mark.parametrize("state", TABLE)
def test_the_decision_is_what_the_table_says(state: State | None) -> None:
    combinations = [(False, False), (True, False), (False, True), (True, True)]
    decided = tuple(
        decide(record(state), has_rollback=has_rollback, reopen=reopen) for has_rollback, reopen in combinations
    )
    assert decided == tuple(map(Decision, TABLE[state]))


@pytest.mark.parametrize(
    ("state", "kept", "told"),
    [
        (None, None, None),
        (State.PENDING, None, None),
        (State.STARTED, None, KILLED),
        (State.FAILED, ERROR, ERROR),
        (State.ROLLING_BACK, None, KILLED),
        (State.ROLLING_BACK, ERROR, ERROR),  # the rollback itself raised, and could say so
        (State.ROLLED_BACK, ERROR, ERROR),
        (State.COMPLETE, None, None),
    ],
)
def test_what_ended_the_last_attempt_is_told(state: State | None, kept: Failure | None, told: Failure | None) -> None:
    assert last_failure(record(state, kept)) == told


def test_a_checkpoint_recovers_when_it_was_started_and_did_not_complete() -> None:
    assert [state for state in (None, *State) if recovers(record(state))] == [
        State.STARTED,
        State.FAILED,
        State.ROLLING_BACK,
        State.ROLLED_BACK,
    ]
    assert not recovers(Record(path="a", state=State.FAILED, attempt=0))
