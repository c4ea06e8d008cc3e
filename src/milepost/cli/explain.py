"""What is said about an error, and which exit status it has. No password is in it, and no frame that is not the user's.

0 complete · 1 failed, run it again · 2 wrong usage or a plan that cannot work · 3 another run holds the lease ·
130 interrupted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from milepost.errors import Interrupted, LeaseHeld, MilepostError, PlanError, StoreError, mask
from milepost.wiring.frames import name_of, users_frames

COMPLETE = 0
FAILED = 1
WRONG = 2
HELD = 3
INTERRUPTED = 130

SHORTEST_SECRET = 3  # hiding a password of one letter would hide the message


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """``status`` is the exit status; ``where`` are lines that point into the user's own code.

    ``resumes``: the same command may go on, once the cause is mended.
    """

    status: int
    message: str
    hint: str | None = None
    where: tuple[str, ...] = ()
    resumes: bool = True


def explain(error: BaseException, *, started: bool) -> Explanation:
    """Sort an error by what it means to whoever ran the command. ``started``: the run held the lease already."""
    where = tuple(users_frames(error))
    if isinstance(error, MilepostError):
        return Explanation(
            status=_status(error, started=started),
            message=error.message,
            hint=error.hint,
            where=where,
            resumes=error.resumes,
        )
    if isinstance(error, KeyboardInterrupt):
        kept = "after a commit" if isinstance(error, Interrupted) else "at once: what was not committed is not kept"
        return Explanation(status=INTERRUPTED, message=f"stopped {kept}")
    message = f"{name_of(error)}: {error}" if str(error) else name_of(error)
    if where or _is_library(error):
        return Explanation(status=FAILED, message=message, where=where)
    return Explanation(
        status=FAILED,
        message=f"Milepost itself went wrong: {message}",
        hint="Please report this, with what MILEPOST_TRACEBACK=1 shows.",
    )


def hide_secrets(text: str, urls: Iterable[str | None] = ()) -> str:
    """The text without the passwords of ``urls``, in whatever form they stand, nor of any URL within it."""
    for secret in sorted(_secrets(urls), key=len, reverse=True):
        text = text.replace(secret, "***")
    return mask(text)


def _secrets(urls: Iterable[str | None]) -> set[str]:
    found: set[str] = set()
    for url in urls:
        match = re.search(r"//[^/@]*?:(.*)@", url or "")
        if match:
            found |= {match.group(1), unquote(match.group(1))}
    return {secret for secret in found if len(secret) >= SHORTEST_SECRET and not secret.startswith("${")}


def _status(error: MilepostError, *, started: bool) -> int:
    if isinstance(error, LeaseHeld):
        return HELD
    if isinstance(error, PlanError | StoreError) and not started:
        return WRONG  # which means: nothing was written
    return FAILED


def _is_library(error: BaseException) -> bool:
    """Whether a driver or the system said it: a full disk, a lost connection."""
    return isinstance(error, OSError | MemoryError) or type(error).__module__.split(".")[0] in {"sqlite3", "psycopg"}
