"""An exception in words that may be stored and shown."""

from __future__ import annotations

from milepost.errors import MilepostError, mask
from milepost.jobs.state import Failure

LONGEST = 2000  # characters of a message that are kept


def in_words(error: BaseException) -> str:
    """What happened, in at most LONGEST characters, without passwords, NUL or anything that is not Unicode text."""
    said = error.message if isinstance(error, MilepostError) else str(error)
    name = "" if isinstance(error, MilepostError) else type(error).__name__
    text = ": ".join(part for part in (name, said) if part) or type(error).__name__
    clean = text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
    return mask(clean)[:LONGEST]


def describe(error: BaseException) -> Failure:
    """The failure that ``error`` is: "interrupted" for Ctrl-C in any form, else "error"."""
    if isinstance(error, KeyboardInterrupt):
        return Failure(kind="interrupted", message=str(error) or "interrupted")
    return Failure(kind="error", message=in_words(error))
