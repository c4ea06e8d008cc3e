"""Every error that Milepost raises on purpose, sorted by what to do about it.

MilepostError
├── Retryable            a passing fault: the same call may go through later
├── Rejected             this row cannot be moved; the others can
│   └── Reject           … as the user's own function says it
└── Fatal                stop here: somebody has to do something first
    ├── PlanError        the plan cannot work; nothing was written (exit 2)
    ├── LeaseHeld        another run may write now (exit 3)
    ├── LeaseLost        another run has taken over; this one wrote nothing since
    ├── StoreError       the store cannot be used: not one, too new, damaged
    ├── OutOfStep        store and target contradict each other
    └── DefinitionChanged  a half-done object is not what it was when it began
Interrupted              Ctrl-C or SIGTERM, taken at a checkpoint (a KeyboardInterrupt)
"""

from __future__ import annotations

import re

_URL_PASSWORD = re.compile(r"(?<=://)([^\s/@:]*):(?:\S*|[^/\n]*|(?!\d+[/?\s])[^\n]*)@")
# A quote at the end may be that of the sentence around it, and stays.
_NAMED_PASSWORD = re.compile(
    r"(?i)((?:pass\w*|secret\w*|token|pwd)\s*=\s*)(?:'[^']*'|\"[^\"]*\"|[^&\s]*?(?=['\"]?(?:[&\s]|$)))"
)


class MilepostError(Exception):
    """The root. ``message`` says what happened and where, ``hint`` what to do next."""

    resumes = True  # the very same command may go on, once the cause is mended; else only the hint's ways lead on

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class Retryable(MilepostError):
    """A passing fault: a connection refused or lost, a lock not granted, a server restarting."""


class Rejected(MilepostError):
    """One row cannot be moved. It is kept as a reject, with stage, reason, key and content."""


class Reject(Rejected):
    """Raised by a restructure function to say that its row must not be moved, and why."""


class Fatal(MilepostError):
    """The run cannot go on. What is committed stays, and the same command resumes after the cause is mended."""


class PlanError(Fatal):
    """The job as declared cannot work with these databases. Raised before a run starts, nothing was written by it."""


class DefinitionChanged(PlanError):
    """An object that is half done is declared otherwise than when it was started."""

    resumes = False


class OutOfStep(Fatal):
    """Store and target contradict each other: one of them was put back to an earlier state, or rows were deleted."""

    resumes = False


class LeaseHeld(Fatal):
    """Another run of the job holds the lease."""

    resumes = False


class LeaseLost(Fatal):
    """The lease lapsed and another run took over; nothing was written since by this one."""

    resumes = False


class StoreError(Fatal):
    """The store cannot be used: it is none, is of a newer schema, or is damaged."""

    resumes = False


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, and did so after a commit. The same command resumes."""


def mask(text: str) -> str:
    """``text`` as it may be stored and shown: passwords in URLs, and after ``password=``, become ``***``."""
    return mask_named(_URL_PASSWORD.sub(r"\1:***@", text))


def mask_named(text: str) -> str:
    """``text`` without the passwords that stand after ``password=`` or the like."""
    return _NAMED_PASSWORD.sub(r"\1***", text)
