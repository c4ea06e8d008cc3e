"""What is said about an error, and which exit status it has. No password is in it, and no frame that is not the user's.

0 complete · 1 failed, run it again · 2 wrong usage or a plan that cannot work · 3 another run holds the lease ·
130 interrupted.
"""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import milepost
from milepost.errors import Interrupted, LeaseHeld, MilepostError, PlanError, StoreError, mask

COMPLETE = 0
FAILED = 1
WRONG = 2
HELD = 3
INTERRUPTED = 130

OURS = str(Path(milepost.__file__).parent)
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
SHORTEST_SECRET = 3  # hiding a password of one letter would hide the message


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """``status`` is the exit status; ``where`` are lines that point into the user's own code."""

    status: int
    message: str
    hint: str | None = None
    where: tuple[str, ...] = ()


def explain(error: BaseException, *, started: bool) -> Explanation:
    """Sort an error by what it means to whoever ran the command. ``started``: the run held the lease already."""
    where = tuple(users_frames(error))
    if isinstance(error, MilepostError):
        return Explanation(status=_status(error, started=started), message=error.message, hint=error.hint, where=where)
    if isinstance(error, KeyboardInterrupt):
        kept = "after a commit" if isinstance(error, Interrupted) else "at once: what was not committed is not kept"
        return Explanation(status=INTERRUPTED, message=f"stopped {kept}")
    message = f"{_name(error)}: {error}" if str(error) else _name(error)
    if where or _is_library(error):
        return Explanation(status=FAILED, message=message, where=where)
    return Explanation(
        status=FAILED,
        message=f"Milepost itself went wrong: {message}",
        hint="Please report this, with what MILEPOST_TRACEBACK=1 shows.",
    )


def users_frames(error: BaseException) -> Iterator[str]:
    """The lines of the user's own files that an error, or what caused it, came through; two lines for each."""
    for each in _chain(error):
        frames = [frame for frame in traceback.extract_tb(each.__traceback__) if is_users(frame.filename)]
        if frames:
            if each is not error and not isinstance(each, MilepostError) and str(each) not in str(error):
                yield f"{_name(each)}: {each}"
            for frame in frames:
                yield f"{frame.filename}, line {frame.lineno}, in {frame.name}"
                yield f"    {frame.line}"
            return


def is_users(filename: str) -> bool:
    """Whether a file is the user's: neither ours, nor a library's."""
    return not filename.startswith(("<", OURS, *LIBRARIES))


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


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _is_library(error: BaseException) -> bool:
    """Whether a driver or the system said it: a full disk, a lost connection."""
    return isinstance(error, OSError | MemoryError) or type(error).__module__.split(".")[0] in {"sqlite3", "psycopg"}


def _name(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__ if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}.{kind.__qualname__}"
    )
