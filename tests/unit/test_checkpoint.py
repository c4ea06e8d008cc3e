"""What a step can do with its checkpoint."""

from dataclasses import replace
from datetime import timedelta

import pytest

from milepost.errors import Fatal, Interrupted, LeaseLost
from milepost.jobs.event import BatchCommitted, CheckpointStarted, PositionSaved, RowsExpected, Told
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.progress import Progress
from milepost.jobs.recovery import KILLED
from milepost.jobs.runner import run
from milepost.jobs.state import Failure, IllegalMove, Record, State
from milepost.jobs.stop import Stop
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock


class Job:
    """One job on a memory store, run as often as a test wants."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.events = []
        self.stop = Stop()

    def run(self, main, **options):
        return run("job", main, store=self.store, emit=self.events.append, stop=self.stop, **options)

    def step(self, body, **options):
        """Run a job of one step, ``a``."""
        return self.run(lambda cp: cp.call("a", body, **options))

    def fails(self, body, **options) -> None:
        def failing(cp):
            body(cp)
            raise ValueError("on purpose")

        with pytest.raises(ValueError, match="on purpose"):
            self.step(failing, **options)

    def record(self, path: str = "a") -> Record | None:
        return self.store.get("job", path)

    def seen(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def job() -> Job:
    return Job()


def killed(job: Job, body, **options) -> None:
    """Run ``body`` in a step whose process dies at its end: nobody may write any more, nothing is recorded."""

    class Killed(BaseException):
        pass

    def dying(cp):
        body(cp)
        job.store.close()
        job.store.put = job.store.release = _refuse
        raise Killed

    with pytest.raises(Killed):
        job.step(dying, **options)
    del job.store.put, job.store.release


def _refuse(*args, **kwargs):
    raise LeaseLost("dead")


def test_start_is_durable_before_the_body_and_complete_after(job) -> None:
    def body(cp):
        assert job.record().state is State.STARTED
        assert job.record("").state is State.STARTED
        assert (cp.path, cp.attempt, cp.recovering, cp.failure) == ("a", 1, False, None)
        return {"rows": 3}

    assert job.step(body) == {"rows": 3}
    assert (job.record().state, job.record().result) == (State.COMPLETE, {"rows": 3})


def test_a_complete_step_is_skipped_and_its_result_returned(job) -> None:
    called = []

    def main(cp):
        return [cp.call("a", lambda cp: called.append(1) or [1.5, "é"]) for _ in range(2)]

    assert job.run(main) == [[1.5, "é"]] * 2
    assert called == [1]


DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "bad", [{1, 2}, (1, 2), {"a": (1,)}, {1: "a"}, float("nan"), float("inf"), "\ud800", DEEP, object()]
)
def test_a_result_that_is_not_json_is_an_error_at_once_and_the_step_failed(job, bad) -> None:
    with pytest.raises(Fatal, match="the result of a is not JSON"):
        job.step(lambda cp: bad)
    assert (job.record().state, job.record().failure.kind) == (State.FAILED, "error")


def test_the_first_run_sees_the_result_that_a_replay_sees(job) -> None:
    shared = []
    first = job.run(lambda cp: cp.call("a", lambda cp: shared) is shared)
    assert first is False


def test_what_ended_the_last_attempt_is_told(job) -> None:
    job.fails(lambda cp: None)
    killed(job, lambda cp: _equal((cp.failure, cp.attempt), (Failure(kind="error", message=SAID), 2)))
    job.stop.request()

    def interrupted(cp):
        assert (cp.failure, cp.attempt) == (KILLED, 3)
        cp.save(1)

    with pytest.raises(Interrupted):
        job.run(interrupted)


SAID = "ValueError: on purpose"


def _equal(found, wanted) -> None:
    assert found == wanted


def test_a_stop_is_taken_after_the_commit_and_recorded_as_interrupted(job) -> None:
    def body(cp):
        job.stop.request()
        cp.save(7)
        raise AssertionError

    with pytest.raises(Interrupted):
        job.step(body)
    assert (job.record().position, job.record().state) == (7, State.FAILED)
    assert job.record().failure.kind == "interrupted"
    assert job.store.runs("job")[0].outcome == "interrupted"


def test_a_stop_is_taken_before_the_next_step_starts(job) -> None:
    def main(cp):
        cp.call("a", lambda cp: job.stop.request())
        cp.call("b", lambda cp: None)

    with pytest.raises(Interrupted):
        job.run(main)
    assert job.record("a").state is State.COMPLETE
    assert job.record("b") is None


def test_a_bare_ctrl_c_is_an_interruption_as_well(job) -> None:
    def body(cp):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.step(body)
    assert job.record().failure.kind == "interrupted"
    assert job.store.runs("job")[0].outcome == "interrupted"


def test_the_pause_is_from_the_last_sign_of_life_to_the_new_lease(job) -> None:
    job.fails(lambda cp: _equal(cp.paused_for, None))
    job.clock.advance(3600)

    def body(cp):
        job.clock.advance(5)  # is not part of it
        assert cp.paused_for == timedelta(hours=1)

    job.step(body)


def test_a_step_tried_again_in_the_same_run_recovers_without_a_pause(job) -> None:
    seen = []

    def body(cp):
        seen.append((cp.attempt, cp.recovering, cp.paused_for))
        if cp.attempt == 1:
            raise ValueError("once")
        return "done"

    def main(cp):
        with pytest.raises(ValueError, match="once"):
            cp.call("a", body)
        return cp.call("a", body)

    assert job.run(main) == "done"
    assert seen == [(1, False, None), (2, True, timedelta(0))]


def test_a_clock_that_was_set_back_gives_no_negative_pause(job) -> None:
    job.fails(lambda cp: None)
    acquire = job.store.acquire
    later = job.clock.now() + timedelta(hours=1)
    job.store.acquire = lambda *args, **kwargs: replace(acquire(*args, **kwargs), previous_sign_of_life=later)
    job.step(lambda cp: _equal(cp.paused_for, timedelta(0)))


def test_positions_resume(job) -> None:
    job.fails(lambda cp: cp.save({"id": 5}))
    job.step(lambda cp: _equal((cp.position, cp.recovering), ({"id": 5}, True)))
    assert [event.position for event in job.seen(CheckpointStarted) if event.path == "a"] == [None, {"id": 5}]


def test_each_saves_the_position_after_the_body_of_a_batch_ran(job) -> None:
    seen = []

    def body(cp):
        seen.extend((batch, job.record().position) for batch in cp.each(range(1, 6), size=2, position=int))
        return job.record().position

    assert job.step(body) == 5
    assert seen == [([1, 2], None), ([3, 4], 2), ([5], 4)]


def test_each_reads_no_further_than_the_batch_it_gives(job) -> None:
    def body(cp):
        source = iter(range(8))
        return [next(source) for _ in cp.each(source, size=3, position=int)]

    assert job.step(body) == [3, 7]


def test_each_refuses_batches_of_nothing_and_positions_that_are_not_json(job) -> None:
    with pytest.raises(ValueError, match="size is 0"):
        job.step(lambda cp: list(cp.each([1], size=0, position=lambda last: last)))
    seen = []
    with pytest.raises(Fatal, match="the position of a is not JSON"):
        job.step(lambda cp: seen.extend(cp.each([1], size=1, position=lambda last: {last})))
    assert seen == []


def test_once_makes_a_value_once_for_a_path(job) -> None:
    made = []

    def body(cp):
        first = cp.once("number", lambda: made.append(1) or [len(made)])
        return [first, cp.once("number", lambda: made.append(1))]

    job.fails(body)
    assert job.step(body) == [[1], [1]]
    assert job.run(lambda cp: cp.once("number", lambda: 9), reopen=True) == 9  # of another path
    assert made == [1]


def test_what_is_done_to_a_value_of_once_is_not_seen_by_the_next_who_asks_for_it(job) -> None:
    def body(cp):
        cp.once("open", lambda: ["a", "b"]).remove("a")
        cp.once("open", list).remove("b")
        return cp.once("open", list)

    assert job.step(body) == ["a", "b"] == job.store.recall("job", "a")["once open"]


def test_once_does_not_meet_what_engines_remember(job) -> None:
    def main(cp):
        cp.remember("plan", "engine")
        return [cp.once("plan", lambda: "user"), cp.once("now", lambda: "user"), cp.recall()["plan"]]

    assert job.run(main) == ["user", "user", "engine"]


def test_a_value_that_is_not_json_is_not_recorded(job) -> None:
    with pytest.raises(Fatal, match="'number' of a is not JSON"):
        job.step(lambda cp: cp.once("number", lambda: {1}))


def test_now_is_pinned_for_the_job(job) -> None:
    start = job.clock.now()
    job.clock.advance(1)
    pinned = []

    def body(cp):
        job.clock.advance(10)
        pinned.append(cp.now)

    job.fails(body)
    job.step(body)
    assert pinned == [start + timedelta(seconds=1)] * 2


def test_a_transaction_commits_together_and_tells_after_the_commit(job) -> None:
    def body(cp):
        with cp.transaction():
            cp.save(1)
            cp.once("kept", lambda: 2)
            assert (cp.position, job.seen(PositionSaved)) == (1, [])
        assert job.seen(PositionSaved) == [PositionSaved(path="a", position=1)]

    job.step(body)
    assert (job.record().position, job.store.recall("job", "a")) == (1, {"once kept": 2})


def test_an_error_in_a_transaction_undoes_all_of_it(job) -> None:
    def body(cp):
        cp.save(1)
        made = []
        with pytest.raises(ValueError, match="inside"), cp.transaction():
            _write_and_fail(cp, made)
        assert (cp.position, job.record().position, cp.batches) == (1, 1, 0)
        assert cp.once("kept", lambda: made.append(1) or "second") == "second"
        assert made == [1, 1]

    job.step(body)
    assert job.seen(PositionSaved) == [PositionSaved(path="a", position=1)]
    assert job.seen(BatchCommitted) == []


def _write_and_fail(cp, made) -> None:
    cp.save(2)
    cp.once("kept", lambda: made.append(1) or "first")
    cp.append(None, 3, Counts(read=1, loaded=1))
    assert (cp.position, cp.batches) == (3, 1)
    raise ValueError("inside")


def test_a_transaction_inside_another_is_part_of_it(job) -> None:
    def body(cp):
        with pytest.raises(ValueError, match="outer"):
            outer(cp)
        return cp.position

    def outer(cp):
        with cp.transaction():
            with cp.transaction():
                cp.save(2)
            assert job.seen(PositionSaved) == []
            raise ValueError("outer")

    assert job.step(body) is None


def test_an_inner_transaction_that_failed_dooms_the_outer_one(job) -> None:
    def body(cp):
        with cp.transaction():
            cp.save(1)
            with pytest.raises(ValueError, match="inner"), cp.transaction():
                raise ValueError("inner")

    with pytest.raises(Fatal, match="nothing was committed"):
        job.step(body)
    assert job.record().position is None


def test_a_stop_in_a_transaction_is_taken_when_it_committed(job) -> None:
    def body(cp):
        with cp.transaction():
            job.stop.request()
            cp.save(1)
            cp.save(2)

    with pytest.raises(Interrupted):
        job.step(body)
    assert job.record().position == 2


def test_a_step_inside_a_transaction_is_refused(job) -> None:
    def main(cp):
        with cp.transaction():
            cp.call("a", lambda cp: None)

    with pytest.raises(Fatal, match=r"inside cp\.transaction"):
        job.run(main)


def test_batches_count_and_move_the_position(job) -> None:
    reject = RejectedRow(path="?", seq=0, stage="load", reason="no", key=[2], content={"id": 2})

    def body(cp):
        cp.append(None, [2], Counts(read=2, loaded=1, rejected=1), [reject])
        cp.append([2], [3], Counts(read=1, loaded=1))
        assert (cp.position, cp.batches, cp.counts) == ([3], 2, Counts(read=3, loaded=2, rejected=1))
        with pytest.raises(Fatal, match="that of its last batch"):
            cp.save([9])

    job.fails(body)
    job.step(lambda cp: _equal((cp.position, cp.batches, cp.counts.read), ([3], 2, 3)))
    assert [(row.path, row.seq) for row in job.store.rejects("job")] == [("a", 1)]
    assert [(event.seq, event.counts.read) for event in job.seen(BatchCommitted)] == [(1, 2), (2, 3)]


def test_a_rollback_runs_first_and_the_step_begins_afresh(job) -> None:
    seen = []

    def undo(cp):
        seen.append(("undo", cp.position, cp.failure.message, cp.attempt, job.record().state))

    def body(cp):
        seen.append(("body", cp.position, cp.failure and cp.failure.message, cp.attempt, cp.recovering))
        cp.save(cp.attempt)
        cp.once("number", lambda: cp.attempt)
        cp.call("below", lambda cp: seen.append("below"))
        return cp.once("number", lambda: "kept")

    job.fails(body, rollback=undo)
    assert job.step(body, rollback=undo) == 2
    assert seen == [
        ("body", None, None, 1, False),
        "below",
        ("undo", 1, SAID, 1, State.ROLLING_BACK),
        ("body", None, SAID, 2, True),
        "below",
    ]


def test_a_step_that_completed_or_never_started_is_not_rolled_back(job) -> None:
    def main(cp):
        return [cp.call("a", lambda cp: 1, rollback=pytest.fail), cp.call("a", lambda cp: 1, rollback=pytest.fail)]

    assert job.run(main) == [1, 1]


def test_a_rollback_that_failed_or_was_killed_runs_again(job) -> None:
    seen = []

    def undo(cp):
        seen.append((cp.failure.kind, cp.failure.message, cp.position))
        if len(seen) == 1:
            cp.save("half undone")
            raise KeyError("undo")

    job.fails(lambda cp: cp.save(5), rollback=undo)
    with pytest.raises(KeyError):
        job.step(pytest.fail, rollback=undo)
    assert job.record().state is State.ROLLING_BACK
    job.step(lambda cp: None, rollback=undo)
    assert seen == [("error", SAID, 5), ("error", "KeyError: 'undo'", "half undone")]


def test_the_failure_outlives_a_death_between_rollback_and_restart(job) -> None:
    class Killed(BaseException):
        pass

    put = job.store.put

    def dies_at_start(lease, record):
        if (record.path, record.state) == ("a", State.STARTED):
            raise Killed
        put(lease, record)

    job.fails(lambda cp: None, rollback=lambda cp: None)
    job.store.put = dies_at_start
    with pytest.raises(Killed):
        job.step(pytest.fail, rollback=lambda cp: None)
    job.store.put = put
    assert job.record().state is State.ROLLED_BACK
    job.step(lambda cp: _equal((cp.failure.message, cp.attempt), (SAID, 2)), rollback=pytest.fail)


def test_a_half_done_rollback_whose_function_is_gone_is_refused(job) -> None:
    job.fails(lambda cp: None, rollback=lambda cp: None)
    with pytest.raises(KeyError):
        job.step(pytest.fail, rollback=lambda cp: {}["gone"])
    with pytest.raises(Fatal, match="the rollback of a was begun and not finished"):
        job.step(pytest.fail)
    assert job.record().state is State.ROLLING_BACK


def test_a_name_that_is_under_way_is_refused(job) -> None:
    with pytest.raises(Fatal, match="a was called while it is under way"):
        job.run(lambda root: root.call("a", lambda cp: root.call("a", pytest.fail)))


def test_a_checkpoint_is_not_written_after_its_step_ended(job) -> None:
    kept = []
    job.run(lambda cp: cp.call("a", kept.append))
    with pytest.raises(Fatal, match="a is complete"):
        kept[0].save(1)
    with pytest.raises(Fatal, match="a is complete"):
        kept[0].append(None, 1, Counts())


def test_an_illegal_move_changes_nothing(job) -> None:
    def body(cp):
        before = job.record("b")
        progress = Progress(cp._session, "b")
        with pytest.raises(IllegalMove):
            progress.complete(1)
        with pytest.raises(IllegalMove):
            progress.finish_rollback()
        assert (job.record("b"), progress.record) == (before, Record(path="b"))

    job.step(body)


def test_messages_and_expectations_are_told_with_their_path(job) -> None:
    job.step(lambda cp: [cp.expect(7), cp.tell("hello")])
    assert [(event.path, event.rows) for event in job.seen(RowsExpected)] == [("a", 7)]
    assert [(event.path, event.message) for event in job.seen(Told)] == [("a", "hello")]


def test_a_message_is_stored_as_text_that_any_database_takes(job) -> None:
    def body(cp):
        raise ValueError("\x00 \ud800 é" + "x" * 5000)

    with pytest.raises(ValueError, match="é"):
        job.step(body)
    message = job.record().failure.message
    assert message.startswith("ValueError: \\x00 \\ud800 éxxx")
    assert len(message) == 2000


@pytest.mark.parametrize(
    "said",
    [
        "cannot reach postgresql://me:hunter2@host/db today",
        "cannot reach postgresql://me:hunter2/@x@host/db, mail you@host",
        "cannot reach postgresql://me:a b/hunter2@host/db today",
        "connection failed: host=h password=hunter2 user=u",
        "connection failed: PASSWORD='hunter2 hunter2'",
        "https://host/db?user=me&password=hunter2&x=1",
    ],
)
def test_no_password_is_stored_or_emitted(job, said) -> None:
    def body(cp):
        raise ValueError(said)

    with pytest.raises(ValueError, match="hunter2"):
        job.step(body)
    kept = repr((job.events, job.store.checkpoints("job"), job.store.runs("job")))
    assert "hunter2" not in kept
    assert "ValueError" in job.record().failure.message
