"""One attempt at one checkpoint: skip it, or roll back, START, run, COMPLETE; each of them durable before the next."""

from __future__ import annotations

from collections.abc import Callable

from milepost.errors import DefinitionChanged, LeaseLost, Retryable
from milepost.jobs.event import (
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointStarted,
    RollbackCompleted,
    RollbackStarted,
)
from milepost.jobs.failure import describe, in_words
from milepost.jobs.json_value import as_json
from milepost.jobs.progress import Progress
from milepost.jobs.recovery import Decision, decide
from milepost.jobs.retry import Place
from milepost.jobs.session import Session
from milepost.jobs.state import JSON

Body = Callable[[Progress], JSON]
Undo = Callable[[Progress], None]

NOT_RECORDED = "The lease is lost: this run may not write any more, so the store does not say how it ended."


def attempt(session: Session, path: str, *, body: Body, undo: Undo | None, reopen: bool, new: bool) -> JSON:
    """Bring the checkpoint to COMPLETE and return its result. ``new``: the store is known to have no record of it.

    Raises what the body or the rollback raised, after recording it; LeaseLost and Interrupted before the START.
    """
    progress = Progress(session, path, new=new)
    decision = decide(progress.record, has_rollback=undo is not None, reopen=reopen)
    if decision is Decision.SKIP:
        return _pass_over(progress)
    if decision is Decision.REFUSE:
        raise _rollback_is_gone(path)
    session.boundary()
    session.started.add(path)
    try:
        if decision is Decision.ROLL_BACK and undo is not None:
            _roll_back(progress, undo)
        result = _run(progress, body)
    except Retryable as error:
        session.came_up(error, progress.place if undo is None else Place(path), undone=undo is not None)
        raise
    session.ended = path
    return result


def _pass_over(progress: Progress) -> JSON:
    session, record = progress.session, progress.record
    session.pass_over(record)
    if not progress.again:  # an earlier run completed it, and others after it perhaps
        session.ahead.look_beyond(record.path)
    return record.result


def _roll_back(progress: Progress, undo: Undo) -> None:
    emit = progress.session.emit
    progress.begin_rollback()
    try:
        emit(RollbackStarted(path=progress.path))
        undo(progress)
    except BaseException as error:
        _record_failure(progress, error)
        raise
    progress.finish_rollback()
    emit(RollbackCompleted(path=progress.path))


def _run(progress: Progress, body: Body) -> JSON:
    progress.start()
    try:
        progress.session.emit(_started(progress))
        result = as_json(body(progress), f"the result of {progress.path or 'the job'}")
    except BaseException as error:
        _record_failure(progress, error)
        raise
    progress.complete(result)  # not within the try: when this fails, only the store knows what is durable
    progress.session.emit(CheckpointCompleted(path=progress.path, counts=progress.record.counts))
    return result


def _started(progress: Progress) -> CheckpointStarted:
    record = progress.record
    return CheckpointStarted(
        path=record.path,
        attempt=record.attempt,
        recovering=progress.recovering,
        failure=progress.failure,
        position=record.position,
        counts=record.counts,
    )


def _record_failure(progress: Progress, error: BaseException) -> None:
    """Note durably how the attempt ended. Whatever goes wrong here is a note on ``error`` and never hides it."""
    progress.session.ahead.forget()
    if isinstance(error, LeaseLost) or progress.session.lost is not None:
        _add_note(error, NOT_RECORDED)
        return
    failure = describe(error)
    try:
        progress.fail(failure)
        progress.session.emit(CheckpointFailed(path=progress.path, failure=failure))
    except Exception as second:  # noqa: BLE001  # whatever it is, the first error is the one to be raised
        _add_note(error, f"And this could not be recorded in the store: {in_words(second)}")


def _add_note(error: BaseException, note: str) -> None:
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _rollback_is_gone(path: str) -> DefinitionChanged:
    return DefinitionChanged(
        f"the rollback of {path} was begun and not finished, and the step has no rollback any more",
        hint=f"Give the step its rollback back, or forget what it did: milepost rewind FILE {path!r}",
    )
