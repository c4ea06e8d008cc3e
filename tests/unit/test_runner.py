"""One run of a job from lease to release."""

from datetime import timedelta

import pytest

from milepost.errors import Fatal, LeaseHeld, LeaseLost, Retryable
from milepost.jobs.event import CheckpointFailed, CheckpointSkipped, CheckpointStarted, RunEnded, RunStarted, Told
from milepost.jobs.runner import run, this_process
from milepost.jobs.state import State
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock


class Job:
    """One job on a memory store, run as often as a test wants."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.events = []

    def run(self, main, **options):
        return run("job", main, store=self.store, emit=self.events.append, **options)

    def outcomes(self) -> list[tuple[str | None, str | None]]:
        return [(each.outcome, each.error) for each in self.store.runs("job")]

    def seen(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def job() -> Job:
    return Job()


def fail(cp) -> None:
    raise ValueError("on purpose")


SAID = "ValueError: on purpose"


def test_a_run_is_told_from_its_start_to_its_end(job) -> None:
    assert job.run(lambda cp: 5, holder="me") == 5
    assert job.events[0] == RunStarted(job="job", epoch=1, store="memory:", recovering=False, paused_for=None)
    assert job.events[-1] == RunEnded(job="job", outcome="complete", error=None)
    assert [each.holder for each in job.store.runs("job")] == ["me"]
    assert job.outcomes() == [("complete", None)]


def test_the_error_is_raised_after_it_was_recorded(job) -> None:
    with pytest.raises(ValueError, match="on purpose") as raised:
        job.run(lambda cp: cp.call("a", fail))
    assert not hasattr(raised.value, "__notes__")
    assert [(each.path, each.failure.message) for each in job.seen(CheckpointFailed)] == [("a", SAID), ("", SAID)]
    assert job.outcomes() == [("failed", SAID)]
    assert job.events[-1] == RunEnded(job="job", outcome="failed", error=SAID)


def test_the_next_run_tells_that_it_recovers_and_after_how_long(job) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        job.run(fail)
    job.clock.advance(90)
    job.run(lambda cp: None)
    assert [(each.epoch, each.recovering, each.paused_for) for each in job.seen(RunStarted)] == [
        (1, False, None),
        (2, True, 90.0),
    ]


def test_a_complete_job_is_skipped_and_its_result_returned(job) -> None:
    job.run(lambda cp: [1])
    assert job.run(pytest.fail) == [1]
    assert [event.path for event in job.seen(CheckpointSkipped)] == [""]
    assert job.seen(RunStarted)[1].recovering is False
    assert job.outcomes() == [("complete", None)] * 2


def test_a_complete_job_that_is_reopened_goes_on(job) -> None:
    def first(cp):
        return [cp.call("a", lambda cp: "a"), cp.recovering]

    def second(cp):
        return [cp.call("a", pytest.fail), cp.call("b", lambda cp: "b"), cp.recovering]

    assert job.run(first) == ["a", False]
    assert job.run(second, reopen=True) == ["a", "b", False]
    assert [event.attempt for event in job.seen(CheckpointStarted) if event.path == ""] == [1, 2]
    assert job.run(pytest.fail) == ["a", "b", False]


def test_a_run_while_another_lives_is_refused_and_leaves_it_alone(job) -> None:
    def main(cp):
        with pytest.raises(LeaseHeld, match="me"):
            job.run(pytest.fail, holder="other")
        cp.save(1)

    job.run(main, holder="me")
    assert job.outcomes() == [("complete", None)]
    assert len(job.seen(RunStarted)) == 1


def test_a_run_whose_lease_was_taken_over_records_nothing_and_says_so(job) -> None:
    def overtaken(cp):
        cp.save("mine")
        job.clock.advance(61)
        job.store.acquire("job", holder="other", ttl=60)
        cp.save("not mine any more")

    with pytest.raises(LeaseLost) as raised:
        job.run(lambda cp: cp.call("a", overtaken))
    assert raised.value.__notes__ == [
        "The lease is lost: this run may not write any more, so the store does not say how it ended."
    ]
    assert (job.store.get("job", "a").state, job.store.get("job", "a").position) == (State.STARTED, "mine")
    assert job.outcomes()[0][0] != "failed"
    assert [event.outcome for event in job.seen(RunEnded)] == ["failed"]
    assert "another run has taken over" in job.seen(Told)[-1].message


def test_a_lease_lost_in_the_heartbeat_ends_the_run_at_the_next_boundary(job) -> None:
    lost = LeaseLost("found by the heartbeat")

    def main(cp):
        cp._session._heartbeat.lost = lost
        cp.call("b", pytest.fail)

    with pytest.raises(LeaseLost) as raised:
        job.run(main)
    assert raised.value is lost
    assert job.store.get("job", "").state is State.STARTED


def test_an_error_of_the_user_after_the_lease_was_lost_stays_the_error(job) -> None:
    def main(cp):
        cp._session._heartbeat.lost = LeaseLost("found by the heartbeat")
        fail(cp)

    with pytest.raises(ValueError, match="on purpose") as raised:
        job.run(main)
    assert "may not write any more" in raised.value.__notes__[0]
    assert job.store.get("job", "").state is State.STARTED


def test_a_heartbeat_in_trouble_is_told_once_and_does_not_end_the_run(job) -> None:
    def main(cp):
        cp._session._heartbeat.trouble = Retryable("postgresql://me:secret@host does not answer")
        cp.save(1)
        cp.save(2)

    job.run(main)
    assert [event.message for event in job.seen(Told)] == [
        "the lease could not be renewed, trying again: postgresql://me:***@host does not answer"
    ]


def test_what_goes_wrong_while_recording_never_hides_the_first_error(job) -> None:
    def broken(*args, **kwargs):
        raise OSError("disk full: password=secret")

    def main(cp):
        job.store.put = job.store.release = broken
        fail(cp)

    with pytest.raises(ValueError, match="on purpose") as raised:
        job.run(main)
    assert raised.value.__notes__ == [
        "And this could not be recorded in the store: OSError: disk full: password=***",
        "And the end of the run could not be recorded: OSError: disk full: password=***",
    ]


def test_a_complete_that_could_not_be_written_is_not_called_failed(job) -> None:
    put = job.store.put

    def unsure(lease, record):
        put(lease, record)
        if record.path == "a" and record.state is State.COMPLETE:
            raise OSError("no answer to the commit")

    job.store.put = unsure
    with pytest.raises(OSError, match="no answer"):
        job.run(lambda cp: cp.call("a", lambda cp: 1))
    assert job.store.get("job", "a").state is State.COMPLETE
    job.store.put = put
    assert job.run(lambda cp: cp.call("a", pytest.fail)) == 1


def test_an_emit_that_fails_fails_the_run_and_loses_nothing(job) -> None:
    def emit(event):
        if isinstance(event, CheckpointStarted):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run("job", lambda cp: 1, store=job.store, emit=emit)
    assert job.run(lambda cp: [cp.recovering, cp.failure.message]) == [True, "BrokenPipeError"]


def test_the_heartbeat_ends_with_the_run_whatever_happens(job) -> None:
    beats = []

    def main(cp):
        beats.append(cp._session._heartbeat)
        assert beats[0]._thread.is_alive()
        fail(cp)

    with pytest.raises(ValueError, match="on purpose"):
        job.run(main)
    assert not beats[0]._thread.is_alive()


def test_a_result_of_the_job_that_is_not_json_names_the_job(job) -> None:
    with pytest.raises(Fatal, match="the result of the job is not JSON"):
        job.run(lambda cp: object())


def test_the_lease_is_the_job_s_for_the_time_that_was_asked(job) -> None:
    job.run(lambda cp: None, ttl=7)
    only = job.store.runs("job")[0]
    assert only.lease_until - only.seen_at == timedelta(seconds=7)
    assert only.holder == this_process()
