"""Which lines of an error's traceback are the user's own."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from milepost.errors import MilepostError

OURS = str(Path(__file__).parents[1])
COMPILED = (".pyx", ".pxd", ".pxi")
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def users_frames(error: BaseException) -> Iterator[str]:
    """The lines of the user's own files that an error, or what caused it, came through; two lines for each."""
    for each in _chain(error):
        frames = [frame for frame in traceback.extract_tb(each.__traceback__) if is_users(frame.filename)]
        if frames:
            if each is not error and not isinstance(each, MilepostError) and str(each) not in str(error):
                yield f"{name_of(each)}: {each}"
            for frame in frames:
                yield f"{frame.filename}, line {frame.lineno}, in {frame.name}"
                yield f"    {frame.line}"
            return


def is_users(filename: str) -> bool:
    """Whether a file is the user's: neither ours, nor a library's, of which compiled parts say no folder."""
    return not filename.startswith(("<", OURS, *LIBRARIES)) and not filename.endswith(COMPILED)


def name_of(error: BaseException) -> str:
    """The error's class as people know it: with its module, unless that is Python's or the program's own."""
    kind = type(error)
    return (
        kind.__qualname__ if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}.{kind.__qualname__}"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
