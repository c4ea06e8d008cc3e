"""A resumed job passes over what is complete for few looks at its store, and trusts no look for too long."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.errors import Retryable
from milepost.jobs.ahead import LEAST, MOST
from milepost.jobs.event import CheckpointSkipped
from milepost.jobs.runner import run
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock

READS = ("get", "checkpoints", "completed_after")


class CountedStore(MemoryStore):
    """A memory store that counts the looks into it, and how many checkpoints each gave."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.looks = Counter()
        self.given = self.longest = 0
        self.lost_answers = set()

    def get(self, job, path):
        self.looks["get"] += 1
        return super().get(job, path)

    def completed_after(self, job, path, places):
        self.looks["completed_after"] += 1
        found = super().completed_after(job, path, places)
        self.given += len(found)
        self.longest = max(self.longest, len(found))
        return found

    def put(self, lease, record):
        super().put(lease, record)
        if record.path in self.lost_answers:
            self.lost_answers.remove(record.path)
            raise Retryable("the server closed the connection")


class Steps:
    """A job whose steps give what they are called, and note that they ran."""

    def __init__(self) -> None:
        self.store = CountedStore()
        self.ran = []
        self.events = []

    def body(self, name):
        def run_it(_):
            self.ran.append(name)
            return [name]

        return run_it

    def call(self, cp, *names):
        return [cp.call(name, self.body(name)) for name in names]

    def run(self, main, *, complete=True):
        """Run it to its end, or to an error of its own."""
        self.ran.clear()
        self.events.clear()
        self.store.looks.clear()

        def body(cp):
            result = main(cp)
            if not complete:
                raise ValueError("on purpose")
            return result

        if complete:
            return run("job", body, store=self.store, emit=self.events.append)
        with pytest.raises(ValueError, match="on purpose"):
            run("job", body, store=self.store, emit=self.events.append)
        return None

    def skipped(self):
        return [event.path for event in self.events if isinstance(event, CheckpointSkipped)]


@pytest.fixture
def steps() -> Steps:
    return Steps()


def names(count, prefix="s"):
    return [f"{prefix}{number}" for number in range(count)]


def test_a_job_that_runs_for_the_first_time_does_not_look_for_the_records_of_its_steps(steps) -> None:
    steps.run(lambda cp: cp.call("outer", lambda inner: steps.call(inner, *names(50))))
    assert steps.store.looks["get"] <= 2  # of the job itself
    assert steps.store.looks["completed_after"] == 0


def test_a_resumed_job_passes_over_many_steps_for_few_looks(steps) -> None:
    many = names(3 * MOST)
    steps.run(lambda cp: len(steps.call(cp, *many)), complete=False)
    given = steps.run(lambda cp: steps.call(cp, *many))
    assert given == [[name] for name in many]
    assert (steps.ran, steps.skipped()) == ([], many)
    assert steps.store.looks["get"] < 20
    assert steps.store.looks["completed_after"] < 20
    assert steps.store.longest <= MOST


def test_a_step_called_twice_gives_its_recorded_result_whenever_it_was_completed(steps) -> None:
    steps.run(lambda cp: steps.call(cp, *names(9)), complete=False)
    twice = ["s1", "new", *names(9), "s1", "new", "s8", "s8", "new"]
    assert steps.run(lambda cp: steps.call(cp, *twice)) == [[name] for name in twice]
    assert steps.ran == ["new"]


def test_the_result_of_a_step_that_was_passed_over_is_the_callers_own(steps) -> None:
    steps.run(lambda cp: steps.call(cp, *names(9)), complete=False)

    def main(cp):
        for name in names(9):
            (result,) = steps.call(cp, name)
            result.append("spoilt")
        return steps.call(cp, *names(9))

    assert steps.run(main) == [[name] for name in names(9)]


def test_what_a_rollback_undid_is_not_passed_over_though_it_was_read_ahead(steps) -> None:
    """The steps below are complete and next in order when the one before them is met."""

    def main(cp):
        steps.call(cp, "before")

        def parent(inner):
            done.extend(steps.call(inner, *names(5)))
            if not recovered:
                raise ValueError("on purpose")

        cp.call("parent", parent, rollback=lambda _: recovered.append(True))

    done, recovered = [], []
    with pytest.raises(ValueError, match="on purpose"):
        run("job", main, store=steps.store)
    steps.ran.clear()
    run("job", main, store=steps.store)
    assert recovered == [True]
    assert steps.ran == names(5)


def test_a_step_whose_start_was_committed_without_an_answer_is_known_when_it_is_called_again(steps) -> None:
    seen = []

    def main(cp):
        steps.store.lost_answers.add("a")
        with pytest.raises(Retryable):
            cp.call("a", lambda _: None)
        cp.call("a", lambda inner: seen.append((inner.recovering, inner.attempt)))

    run("job", main, store=steps.store)
    assert seen == [(True, 2)]


def test_steps_that_are_met_in_another_order_do_not_make_a_resumed_job_read_all_of_them_again_and_again(steps) -> None:
    many = names(1000)
    steps.run(lambda cp: len(steps.call(cp, *many)), complete=False)
    steps.run(lambda cp: len(steps.call(cp, *reversed(many))))
    assert (steps.ran, len(steps.skipped())) == ([], 1000)
    assert steps.store.given <= LEAST * len(many)


TREES = st.recursive(
    st.just({}),
    lambda below: st.dictionaries(st.sampled_from("abcdefgh"), below, max_size=6),
    max_leaves=60,
)


@settings(max_examples=200, deadline=None)
@given(tree=TREES, failing=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_whatever_is_called_in_whatever_order_each_step_completes_once_and_gives_its_result(
    tree, failing, seed
) -> None:
    """A run that fails somewhere, and one that calls the same steps, and new ones, in another order, some twice."""
    store, completed, order = CountedStore(), Counter(), Random(seed)
    left = [failing]

    def call_all(cp, below, *, again):
        calls = list(below)
        if again:
            order.shuffle(calls)
            calls += [*calls[: order.randrange(3)], *(["new"] if below else [])]
        return [cp.call(name, partial(body, below=below.get(name, {}), again=again)) for name in calls]

    def body(cp, *, below, again):
        left[0] -= 1
        if left[0] == 0:
            raise ValueError("on purpose")
        assert all(path.startswith(f"{cp.path}/") for path, _ in call_all(cp, below, again=again))
        completed[cp.path] += 1
        return [cp.path, None]

    with suppress(ValueError):
        run("job", partial(call_all, below=tree, again=False), store=store)
    left[0] = 0
    run("job", partial(call_all, below=tree, again=True), store=store, reopen=True)
    assert set(completed.values()) <= {1}
    results = {record.path: record.result for record in store.checkpoints("job") if record.path}
    assert results == {path: [path, None] for path in completed}
