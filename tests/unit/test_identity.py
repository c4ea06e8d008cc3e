"""A step's name is the same however its arguments are given, and whichever way it was worked out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import Fatal
from milepost.jobs.identity import named_by_arguments
from milepost.jobs.job import Job
from milepost.jobs.json_value import as_json
from milepost.jobs.runner import run
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock

PLAIN = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    PLAIN | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.lists(JSON, max_size=3))
def test_a_name_holds_its_arguments_as_json(values) -> None:
    text = ", ".join(json.dumps(value, ensure_ascii=False, sort_keys=True) for value in values)
    name = named_by_arguments("step", values, {})
    assert name == (f"step[{text}]" if values else "step") or (
        len(text) > 200 and name.startswith(f"step[{text[:120]}…")
    )


@given(JSON)
def test_a_value_comes_back_as_it_is(value) -> None:
    read = as_json(value, "it")
    assert repr(read) == repr(json.loads(json.dumps(value)))


class Number(int):
    def __repr__(self):
        return "seven"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**5000, "\ud800", (1,), b"", {1: 2}], ids=range(7))
def test_what_json_does_not_give_back_is_refused_as_argument_and_as_value(value) -> None:
    with pytest.raises(Fatal, match="not JSON"):
        named_by_arguments("step", [value], {})
    with pytest.raises(Fatal, match="not JSON"):
        as_json(value, "it")


def test_a_number_of_a_kind_of_its_own_is_named_as_json_writes_it() -> None:
    assert named_by_arguments("step", [Number(7)], {}) == "step[7]"
    assert named_by_arguments("step", [True], {}) == "step[true]"


def plain(cp, a, b=2): ...


def keyword(cp, a, *, b=2): ...


def needed(cp, a, *, b): ...


def any_number(cp, a, *rest): ...


def by_place_only(cp, a, /, b=2): ...


def any_names(cp, a=1, **rest): ...


@pytest.mark.parametrize(
    ("function", "one", "other", "path"),
    [
        (plain, ([1], {}), ([], {"a": 1}), "plain[1]"),
        (plain, ([1, 2], {}), ([], {"b": 2, "a": 1}), "plain[1, 2]"),
        (keyword, ([1], {}), ([], {"a": 1}), "keyword[1]"),
        (keyword, ([1], {"b": 3}), ([], {"a": 1, "b": 3}), "keyword[1, b=3]"),
        (any_number, ([1, 2, 3], {}), ([1, 2, 3], {}), "any_number[1, 2, 3]"),
        (by_place_only, ([1, 3], {}), ([1], {"b": 3}), "by_place_only[1, 3]"),
        (any_names, ([], {}), ([], {}), "any_names"),
        (any_names, ([1], {"x": 2}), ([], {"x": 2, "a": 1}), "any_names[1, x=2]"),
    ],
)
def test_one_call_has_one_path_however_it_is_written(function, one, other, path) -> None:
    assert called(function, one, other) == [path]


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (plain, ([], {})),
        (plain, ([1, 2, 3], {})),
        (keyword, ([1, 2], {})),
        (needed, ([1], {})),
        (any_number, ([], {})),
        (by_place_only, ([], {"a": 1})),
    ],
)
def test_a_call_that_python_refuses_is_refused_before_anything_is_written(function, given) -> None:
    with pytest.raises(TypeError, match=r"argument|positional"):
        called(function, given)


def called(function, *calls):
    """The paths under which a step ran that was called with these arguments."""
    job, store = Job("job"), MemoryStore(ManualClock())
    step = job.step(function)

    @job.main
    def main():
        for args, kwargs in calls:
            step(*args, **kwargs)

    try:
        run("job", job.body, store=store)
    finally:
        paths = [record.path for record in store.checkpoints("job") if record.path]
    return paths
