"""What is decided about a batch in doubt, and what is remembered of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.jobs.intent import INTENT, Forgotten, Intent, Outcome, Settlement, recorded, settlement
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.migration.batches import counts_of_both
from milepost.migration.sink import choose
from milepost.migration.target import Loading


def an_intent(**settings) -> Intent:
    return Intent(**{"seq": 3, "low": [1], "high": [9], "counts": Counts(read=2, loaded=1, rejected=1), **settings})


@pytest.mark.parametrize(
    ("outcome", "again", "expected"),
    [
        (Outcome.COMMITTED, False, Settlement.DONE),
        (Outcome.COMMITTED, True, Settlement.DONE),
        (Outcome.ABORTED, False, Settlement.DROP),
        (Outcome.ABORTED, True, Settlement.REPLAY),  # the act before it may have come through
        (Outcome.UNKNOWN, False, Settlement.REPLAY),
        (Outcome.UNKNOWN, True, Settlement.REPLAY),
    ],
)
def test_only_what_is_known_is_not_done_again(outcome, again, expected) -> None:
    assert settlement(an_intent(again=again), outcome) is expected


def test_an_intent_comes_back_from_json_as_it_was() -> None:
    reject = RejectedRow(path="a", seq=3, stage="load", reason="no", key=[{"decimal": "1.0"}], content={"x": None})
    forgotten = Forgotten(path="a", keys=([1], [{"decimal": "1.0"}]), batches=(("a", 1), ("a/recheck-1", 2)))
    intent = an_intent(
        rejects=(reject,), token={"xid": "7"}, witness=["k", 1], again=True, keys=[[1]], forgotten=forgotten
    )
    assert json.loads(json.dumps(intent.as_json())) == intent.as_json()
    assert recorded({INTENT: json.loads(json.dumps(intent.as_json()))}, "a") == intent
    assert recorded({INTENT: None}, "a") is None
    assert recorded({}, "a") is None


def test_a_replay_that_met_the_same_rows_counts_as_the_first_time_meant_to() -> None:
    first = Counts(read=5, loaded=2, unchanged=1, filtered=1, rejected=1)
    assert counts_of_both(first, Counts(read=5, loaded=0, unchanged=3, filtered=1, rejected=1)) == first
    for other in (
        Counts(read=4, loaded=0, unchanged=2, filtered=1, rejected=1),
        Counts(read=5, loaded=2, unchanged=2, filtered=0, rejected=1),
        Counts(read=5, loaded=3, unchanged=1, filtered=1, rejected=1),  # it splits its rows into more
    ):
        assert counts_of_both(first, other) == other


ROWS = st.lists(st.tuples(st.sampled_from([None, 1, "1", (1,), [1]]), st.integers(0, 3)), max_size=12)


@given(ROWS, st.booleans())
def test_of_rows_with_one_key_one_is_sent_and_every_row_is_accounted_for(rows, last_wins) -> None:
    loading = Loading(columns=("key", "value"), key=("key",), fresh=False, last_wins=last_wins)
    chosen, refused = choose(rows, loading)
    wanted: dict[str, int] = {}
    for place, (key, _) in enumerate(rows):
        if key is not None and (last_wins or repr(key) not in wanted):
            wanted[repr(key)] = place
    assert chosen == sorted(wanted.values())
    keyless = {place for place, (key, _) in enumerate(rows) if key is None}
    assert {one.index for one in refused if one.stage == "load"} == keyless
    others = set(range(len(rows))) - keyless - set(chosen)
    assert {one.index for one in refused if one.stage == "duplicate"} == (set() if last_wins else others)
