"""The table of allowed moves, walked whole."""

from itertools import product

import pytest

from milepost.jobs.state import MOVES, IllegalMove, Move, State, move, moved

# Written out by hand from the design, in words, so that a slip in the table is seen.
ALLOWED = {
    "pending --start-> started",
    "started --start-> started",
    "started --fail-> failed",
    "started --roll back-> rolling back",
    "started --complete-> complete",
    "failed --start-> started",
    "failed --roll back-> rolling back",
    "rolling back --roll back-> rolling back",
    "rolling back --fail-> rolling back",
    "rolling back --finish rollback-> rolled back",
    "rolled back --start-> started",
    "complete --reopen-> started",
    "complete --rewind-> failed",
    "pending --forget-> pending",
    "started --forget-> pending",
    "failed --forget-> pending",
    "rolling back --forget-> pending",
    "rolled back --forget-> pending",
    "complete --forget-> pending",
}


def test_the_table_allows_exactly_the_moves_of_the_design() -> None:
    table = {f"{state} --{happening}-> {after}" for state, row in MOVES.items() for happening, after in row.items()}
    assert table == ALLOWED


@pytest.mark.parametrize(("state", "happening"), list(product(State, Move)))
def test_a_move_gives_what_the_table_says_or_raises(state: State, happening: Move) -> None:
    found = [line for line in ALLOWED if line.startswith(f"{state} --{happening}-> ")]
    if found:
        assert found == [f"{state} --{happening}-> {move(state, happening)}"]
    else:
        with pytest.raises(IllegalMove, match=f"{state} cannot {happening}"):
            move(state, happening)


def test_every_state_can_be_left_and_reached() -> None:
    assert set(MOVES) == set(State)
    assert {after for row in MOVES.values() for after in row.values()} == set(State)


def test_what_can_be_forgotten_is_every_state_as_stores_delete_without_looking() -> None:
    assert moved(Move.FORGET) == dict.fromkeys(State, State.PENDING)


def test_the_states_of_a_move_are_those_of_the_table() -> None:
    assert moved(Move.REWIND) == {State.COMPLETE: State.FAILED}
    assert moved(Move.FAIL) == {State.STARTED: State.FAILED, State.ROLLING_BACK: State.ROLLING_BACK}
