"""Parameters are settled once: by what was pinned, given or declared; anything else is refused with a way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.clock import SystemClock
from milepost.errors import PlanError
from milepost.jobs.parameters import Parameters
from milepost.jobs.runner import run
from milepost.migration.migration import Migration
from milepost.stores.memory import MemoryStore

DECLARED = {"cutoff": "2026-01-01", "region": None}


def parameters() -> Parameters:
    return Parameters("crm", DECLARED)


def test_what_is_given_takes_the_place_of_the_default() -> None:
    one = parameters()
    assert one.settle({"region": "EU"}) == {"cutoff": "2026-01-01", "region": "EU"}
    assert dict(one) == {"cutoff": "2026-01-01", "region": "EU"}


def test_the_pinned_ones_count_and_need_not_be_given_again() -> None:
    one = parameters()
    pinned = {"cutoff": "2020-02-02", "region": "US"}
    assert one.settle({}, pinned) == one.settle({"region": "US"}, pinned) == pinned
    assert one["cutoff"] == "2020-02-02"


def test_another_value_than_the_pinned_one_is_refused_with_both() -> None:
    with pytest.raises(PlanError, match="region is given as 'EU', and the job was started with 'US'") as refused:
        parameters().settle({"region": "EU"}, {"cutoff": "x", "region": "US"})
    assert "milepost rewind FILE ." in (refused.value.hint or "")


def test_a_name_that_is_not_declared_is_refused_with_the_near_one() -> None:
    with pytest.raises(PlanError, match="crm declares no parameter regoin") as refused:
        parameters().settle({"regoin": "EU"})
    assert refused.value.hint == "Did you mean region?"
    with pytest.raises(PlanError, match="declares no parameter x") as refused:
        Parameters("crm", None).settle({"x": "1"})
    assert refused.value.hint == "Leave out -p x=…."


def test_one_that_has_no_value_is_refused() -> None:
    with pytest.raises(PlanError, match="region has no value") as refused:
        parameters().settle({"cutoff": "x"})
    assert refused.value.hint == "Give it: -p region=VALUE."


def test_one_that_was_declared_later_is_settled_by_the_next_run_and_one_left_out_stays_pinned() -> None:
    assert parameters().settle({"region": "EU"}, {"cutoff": "a", "gone": "b"}) == {
        "cutoff": "a",
        "gone": "b",
        "region": "EU",
    }


def test_before_a_run_there_are_the_defaults_and_nothing_in_place_of_a_missing_one() -> None:
    one = parameters()
    assert one["cutoff"] == "2026-01-01"
    assert set(one) == {"cutoff", "region"}
    assert "region" in one
    with pytest.raises(PlanError, match="region was asked for before it had a value"):
        _ = one["region"]
    with pytest.raises(KeyError):
        _ = one["other"]


def test_a_default_that_was_read_too_early_is_told_where_it_was_not_the_value() -> None:
    one = parameters()
    assert one["cutoff"] == "2026-01-01"
    one.settle({"region": "EU"})
    two = parameters()
    assert two["cutoff"] == "2026-01-01"
    with pytest.raises(PlanError, match="cutoff is 'later', and was read before that was known, as '2026-01-01'"):
        two.settle({"region": "EU", "cutoff": "later"})


def test_nobody_can_write_into_them() -> None:
    with pytest.raises(TypeError):
        parameters()["cutoff"] = "x"  # type: ignore[index]


@pytest.mark.parametrize(
    ("declared", "said"),
    [({"limit": 5}, "limit is 5, and parameters are texts"), ({"": "x"}, "no name"), ({"a=b": "x"}, "no name")],
)
def test_what_is_no_text_is_refused_when_it_is_declared(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Migration("crm", parameters=declared)


def test_a_secret_is_refused_and_not_shown() -> None:
    for name, value in (("password", "hunter2"), ("api_token", "hunter2"), ("url", "postgresql://me:hunter2@host/db")):
        with pytest.raises(PlanError, match="looks like a secret") as refused:
            Parameters("crm", {name: None}).settle({name: value})
        assert "hunter2" not in str(refused.value)


def test_a_checkpoint_gives_what_was_pinned_in_every_run() -> None:
    store, seen = MemoryStore(SystemClock()), []
    for number, told in enumerate(({"region": "EU"}, {})):

        def main(cp, number=number, told=told):
            cp.settle(parameters(), told)
            cp.call("step", lambda below: seen.append(dict(below.parameters)))
            cp.call(f"step {number}", lambda below: seen.append(dict(below.parameters)))
            if number == 0:
                raise RuntimeError

        try:
            run("crm", main, store=store)
        except RuntimeError:
            continue
    assert seen == [{"cutoff": "2026-01-01", "region": "EU"}] * 3
    assert store.recall("crm", "")["parameters"] == seen[0]


def test_a_checkpoint_of_another_kind_of_run_gives_them_too() -> None:
    store, seen = MemoryStore(SystemClock()), []
    run("crm", lambda cp: cp.settle(parameters(), {"region": "EU"}), store=store)
    run("crm", lambda cp: seen.append(dict(cp.parameters)), store=store, reopen=True)
    assert seen == [{"cutoff": "2026-01-01", "region": "EU"}]


NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["1", "2"])


@given(
    declared=st.dictionaries(NAMES, st.none() | TEXTS),
    given_=st.dictionaries(NAMES, TEXTS),
    pinned=st.none() | st.dictionaries(NAMES, TEXTS),
)
def test_what_is_settled_is_settled_for_good(declared: Any, given_: Any, pinned: Any) -> None:
    try:
        settled = Parameters("crm", declared).settle(given_, pinned)
    except PlanError:
        known = {name: value for name, value in (pinned or {}).items() if name in declared}
        assert (
            not given_.keys() <= declared.keys()
            or any(name in known and known[name] != value for name, value in given_.items())
            or any(value is None and name not in {*known, *given_} for name, value in declared.items())
        )
        return
    assert Parameters("crm", declared).settle({}, settled) == settled
    assert settled.items() >= {**given_, **(pinned or {})}.items()
