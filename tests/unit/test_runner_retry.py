"""A run that meets passing faults: it enters the job again under the same lease, and recovers."""

from datetime import timedelta

import pytest

from milepost.errors import Fatal, Interrupted, LeaseLost, Retryable
from milepost.jobs.event import CheckpointSkipped, CheckpointStarted, RollbackCompleted, RunEnded, RunStarted, Told
from milepost.jobs.retry import Patience
from milepost.jobs.runner import run
from milepost.jobs.state import Failure, State
from milepost.jobs.stop import Stop
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock

FOUR = Patience(tries=4, first=1.0, longest=2.0)


class Job:
    """One job on a memory store, with a clock that only waiting moves on."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.events = []

    def run(self, main, **options):
        options = {"patience": FOUR, "clock": self.clock, **options}
        return run("job", main, store=self.store, emit=self.emit, **options)

    def emit(self, event) -> None:
        self.events.append(event)
        assert len(self.events) < 1000, "it would never end"

    def seen(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def waits(self) -> list[float]:
        """What it said that it waits, in seconds."""
        return [float(each.message.partition("waiting ")[2].split()[0]) for each in self.seen(Told)]


@pytest.fixture
def job() -> Job:
    return Job()


class Flaky:
    """Raises Retryable the first ``times`` times that it is called."""

    def __init__(self, times: int, said: str = "the line is bad") -> None:
        self.left = times
        self.said = said
        self.calls = 0

    def __call__(self, *_):
        self.calls += 1
        if self.left:
            self.left -= 1
            raise Retryable(self.said)
        return self.calls


def test_a_passing_fault_is_tried_again_in_the_same_run(job) -> None:
    assert job.run(Flaky(2)) == 3
    assert [event.epoch for event in job.seen(RunStarted)] == [1]
    assert [(each.epoch, each.outcome) for each in job.store.runs("job")] == [(1, "complete")]
    assert [event.attempt for event in job.seen(CheckpointStarted)] == [1, 2, 3]


def test_each_try_is_told_in_one_line_with_what_failed_the_wait_and_its_number(job) -> None:
    flaky = Flaky(1, "postgresql://me:secret@host does not answer\n\tIs it there?")
    job.run(lambda cp: cp.call("a", flaky))
    (told,) = job.seen(Told)
    assert told.path == "a"
    assert told.message.startswith("postgresql://me:***@host does not answer; waiting ")
    assert told.message.endswith(" s before try 2 of 4")
    assert "\n" not in told.message


def test_it_waits_as_long_as_it_says_and_longer_each_time(job) -> None:
    job.run(Flaky(3))
    assert 0.5 <= job.waits()[0] <= 1 <= job.waits()[1] <= 2
    assert 1 <= job.waits()[2] <= 2
    assert sum(job.clock.slept) == pytest.approx(sum(job.waits()), abs=0.2)


def test_what_always_fails_is_given_up_and_says_how_often_it_was_tried(job) -> None:
    flaky = Flaky(1000)
    with pytest.raises(Retryable) as raised:
        job.run(lambda cp: cp.call("a", flaky))
    assert flaky.calls == 4
    assert raised.value.message == "the line is bad (tried 4 times)"
    assert sum(job.clock.slept) <= 1 + 2 + 2
    assert [(each.outcome, each.error) for each in job.store.runs("job")] == [
        ("failed", "the line is bad (tried 4 times)")
    ]
    assert job.store.get("job", "a").state is State.FAILED


def test_no_other_error_is_tried_again(job) -> None:
    calls = []

    def fail(cp):
        calls.append(cp.attempt)
        raise Fatal("the disk is full")

    with pytest.raises(Fatal, match=r"the disk is full$"):
        job.run(fail)
    assert calls == [1]
    assert not job.clock.slept


def test_what_is_complete_is_skipped_and_what_is_half_done_resumes(job) -> None:
    flaky, seen = Flaky(2), []

    def post(cp):
        seen.append((cp.position, cp.recovering, cp.failure, cp.paused_for))
        for number in range(cp.position or 0, 5):
            if number == 3:
                flaky()
            cp.save(number + 1)

    def main(cp):
        cp.call("a", lambda cp: cp.save(1))
        cp.call("b", post)

    job.run(main)
    failure = Failure(kind="error", message="the line is bad")
    assert seen == [(None, False, None, None), *[(3, True, failure, timedelta(0))] * 2]
    assert [event.path for event in job.seen(CheckpointSkipped)] == ["a", "a"]
    assert job.store.get("job", "b").position == 5


def test_progress_gives_new_tries(job) -> None:
    flaky = {number: Flaky(3) for number in range(6)}

    def post(cp):
        for number in range(cp.position or 0, 6):
            flaky[number]()
            cp.save(number + 1)

    job.run(lambda cp: cp.call("b", post))
    assert [each.calls for each in flaky.values()] == [4] * 6
    assert all(each.message.endswith("of 4") for each in job.seen(Told))


def test_steps_that_complete_are_progress_for_the_step_that_calls_them(job) -> None:
    flaky = {number: Flaky(3) for number in range(6)}

    def main(cp):
        for number in range(6):
            cp.call(str(number), lambda cp: None)
            flaky[number]()

    job.run(main)
    assert [each.left for each in flaky.values()] == [0] * 6
    assert len(job.waits()) == 18


@pytest.mark.parametrize("saves", [False, True])
def test_a_step_that_begins_afresh_each_time_is_given_up_though_it_saves_on_its_way(job, saves) -> None:
    attempts = []

    def stubborn(cp):
        attempts.append(cp.attempt)
        for number in range(5):
            if saves:
                cp.save(number)
        raise Retryable("no")

    with pytest.raises(Retryable, match="tried 4 times"):
        job.run(lambda cp: cp.call("a", stubborn))
    assert attempts == [1, 2, 3, 4]


def test_what_fails_at_ever_new_places_is_given_up_too(job) -> None:
    def fails(cp) -> None:
        cp.save(cp.attempt)
        raise Retryable("the line is bad")

    with pytest.raises(Retryable, match=r"tried 30 times"):
        job.run(lambda cp: cp.call("step", fails), patience=Patience(tries=4, most=30, first=1.0, longest=2.0))


def test_a_rollback_on_the_way_does_not_make_it_endless(job) -> None:
    """Each attempt comes to another position and completes another step below: all of that is undone."""
    undone = []

    def body(cp):
        cp.save(f"reached at attempt {cp.attempt}")
        cp.call(f"below-{cp.attempt}", lambda cp: None)
        raise Retryable("no")

    def main(cp):
        cp.call("a", body, rollback=lambda cp: undone.append(cp.position))

    with pytest.raises(Retryable, match="tried 4 times"):
        job.run(main)
    assert undone == [f"reached at attempt {number}" for number in (1, 2, 3)]
    assert len(job.seen(RollbackCompleted)) == 3


def test_nor_does_a_rollback_above_the_step_that_fails(job) -> None:
    def below(cp):
        cp.save(f"reached at attempt {len(attempts)}")
        raise Retryable("no")

    attempts = []

    def body(cp):
        attempts.append(cp.attempt)
        cp.call(f"below-{cp.attempt}", below)

    with pytest.raises(Retryable, match="tried 4 times"):
        job.run(lambda cp: cp.call("a", body, rollback=lambda cp: None))
    assert attempts == [1, 2, 3, 4]


def test_a_rollback_that_fails_in_passing_is_run_again_before_anything_else(job) -> None:
    body, undo = Flaky(1), Flaky(2)
    job.run(lambda cp: cp.call("a", body, rollback=undo))
    assert (body.calls, undo.calls) == (2, 3)


def test_a_rollback_that_always_fails_is_given_up(job) -> None:
    body, undo = Flaky(1), Flaky(1000)
    with pytest.raises(Retryable, match="tried 4 times"):
        job.run(lambda cp: cp.call("a", body, rollback=undo))
    assert (body.calls, undo.calls) == (1, 3)
    assert job.store.get("job", "a").state is State.ROLLING_BACK


class Scripted(ManualClock):
    """At the n-th sleep something happens."""

    def __init__(self, **acts) -> None:
        super().__init__()
        self.acts = {int(name.removeprefix("at_")): act for name, act in acts.items()}

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.acts.get(len(self.slept), lambda: None)()


def test_a_request_to_stop_ends_the_wait_at_once(job) -> None:
    stop = Stop()
    clock = Scripted(at_1=stop.request)
    flaky = Flaky(1000)
    with pytest.raises(Interrupted):
        job.run(flaky, stop=stop, clock=clock)
    assert flaky.calls == 1
    assert len(clock.slept) == 1
    assert sum(clock.slept) <= 0.2
    assert [each.outcome for each in job.store.runs("job")] == ["interrupted"]
    assert job.seen(RunEnded)[-1].outcome == "interrupted"


def test_a_request_to_stop_that_came_before_the_fault_is_heeded_without_a_wait(job) -> None:
    stop = Stop()

    def main(cp):
        stop.request()
        raise Retryable("no")

    with pytest.raises(Interrupted):
        job.run(main, stop=stop)
    assert job.clock.slept == []


def test_a_second_signal_ends_the_wait_too(job) -> None:
    def press():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.run(Flaky(1000), clock=Scripted(at_1=press))
    assert [each.outcome for each in job.store.runs("job")] == ["interrupted"]


def test_a_lease_lost_during_the_wait_ends_the_run(job) -> None:
    flaky = Flaky(1000)

    def take_over():
        job.clock.advance(61)
        job.store.acquire("job", holder="other", ttl=60)

    with pytest.raises(LeaseLost):
        job.run(flaky, clock=Scripted(at_2=take_over))
    assert flaky.calls == 1
    assert [each.outcome for each in job.store.runs("job")] == [None, None]
    assert "another run has taken over" in job.seen(Told)[-1].message


def test_the_lease_is_renewed_before_the_next_try(job) -> None:
    """Twice where need be: a connection that was lost is noticed by the first and made anew by the second."""
    renew, lost, order = job.store.renew, Flaky(1), []

    def renewing(lease):
        order.append("renew")
        lost()
        renew(lease)

    def main(cp):
        order.append("try")
        if order.count("try") < 3:
            raise Retryable("no")

    job.store.renew = renewing
    job.run(main, ttl=3600.0)  # the heartbeat itself does not come to it
    assert order == ["try", "renew", "renew", "try", "renew", "try"]
    assert job.seen(Told)[0].message.startswith("no; waiting")


def test_a_complete_whose_answer_is_lost_is_found_complete(job) -> None:
    put = job.store.put
    calls = []

    def lose_answer(lease, record):
        put(lease, record)
        if (record.path, record.state) == ("a", State.COMPLETE) and len(calls) == 1:
            raise Retryable("the answer was lost")

    job.store.put = lose_answer
    assert job.run(lambda cp: cp.call("a", lambda cp: calls.append(1) or "done")) == "done"
    assert calls == [1]


def test_a_release_whose_answer_is_lost_is_found_done(job) -> None:
    release = job.store.release
    lost = Flaky(1)

    def lose_answer(lease, **options):
        release(lease, **options)
        lost()

    job.store.release = lose_answer
    assert job.run(lambda cp: 5) == 5
    assert [each.outcome for each in job.store.runs("job")] == ["complete"]
    assert job.seen(RunEnded) == [RunEnded(job="job", outcome="complete", error=None)]


def test_a_lease_that_another_run_took_before_it_was_given_back_is_lost_though_all_is_complete(job) -> None:
    release = job.store.release

    def come_late(lease, **options) -> None:
        job.clock.advance(3600)
        job.store.acquire("job", holder="another", ttl=60)
        release(lease, **options)

    job.store.release = come_late
    with pytest.raises(LeaseLost):
        job.run(lambda cp: 7)
    assert [each.outcome for each in job.store.runs("job")] == [None, None]


def test_a_store_that_fails_in_passing_right_after_the_lease_was_taken_is_tried_again(job) -> None:
    get, lost = job.store.get, Flaky(2)

    def fail(*arguments):
        lost()
        return get(*arguments)

    job.store.get = fail
    assert job.run(lambda cp: 5) == 5
    assert len(job.seen(RunStarted)) == 1


def test_a_fault_on_the_way_back_is_no_other_place(job) -> None:
    """The store fails with the step, and stays away for longer than it."""
    recall = job.store.remember
    flaky, away = Flaky(1), []

    def remember(*arguments):
        if flaky.calls and len(away) < 9:
            away.append(1)
            raise Retryable("the store is away")
        return recall(*arguments)

    job.store.remember = remember
    with pytest.raises(Retryable, match=r"the store is away \(tried 4 times\)"):
        job.run(lambda cp: cp.call("a", flaky))
    assert [(each.path, each.message.rpartition("before ")[2]) for each in job.seen(Told)] == [
        ("a", f"try {number} of 4") for number in (2, 3, 4)
    ]


def test_the_first_contact_is_not_tried_again(job) -> None:
    acquire = Flaky(1)
    job.store.acquire = lambda *_, **__: acquire()
    with pytest.raises(Retryable, match=r"the line is bad$"):
        job.run(pytest.fail)
    assert acquire.calls == 1
    assert not job.clock.slept


def test_a_fault_whose_end_could_not_be_recorded_is_not_taken_for_a_kill(job) -> None:
    put, seen = job.store.put, []

    def fail(lease, record):
        if record.state is State.FAILED:
            raise Retryable("nor does the store answer")
        put(lease, record)

    job.store.put = fail
    flaky = Flaky(1)

    def main(cp):
        seen.append((cp.recovering, cp.failure))
        flaky()

    job.run(main)
    assert seen == [(False, None), (True, Failure(kind="error", message="the line is bad"))]
