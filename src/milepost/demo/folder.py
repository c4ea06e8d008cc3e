"""The demo's folder: made anew each time, and never anybody else's."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from milepost.errors import PlanError

MARKER = ".milepost-demo"
LEGACY = "legacy.db"
NEW = "new.db"
MIGRATION = "company.py"
SCHEMA = "new.sql"
EXPECTED = "expected.sql"
DATABASES = tuple(name + ending for name in (LEGACY, NEW) for ending in ("", "-wal", "-shm", "-journal"))


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Make the folder ours, for this process alone, as long as the context lasts.

    Raises PlanError, without having touched anything, for a file, for a folder that holds something and is no demo's,
    and for one in which another demo is running.
    """
    _refuse_foreign(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker = (folder / MARKER).open("a+", encoding="utf-8")
    except OSError as error:
        raise PlanError(f"{folder} cannot be written: {error.strerror}", hint="Name another folder.") from error
    with marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlanError(f"another demo is running in {folder}", hint="Wait for it, or name another.") from None
        yield


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise PlanError(f"{folder} is a file, and the demo needs a folder", hint="Name another.")
    if any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise PlanError(
            f"{folder} is not empty and was not made by the demo, so nothing in it was touched",
            hint="Name a folder that does not exist yet, or an empty one.",
        )


def remove_databases(folder: Path, *names: str) -> None:
    """Remove the demo's own databases from an earlier time, or those of ``names``."""
    for name in DATABASES:
        if not names or name.startswith(names):
            (folder / name).unlink(missing_ok=True)


def leave(folder: Path, name: str, text: str) -> Path | None:
    """Write a file that people may change. Their changed one is kept beside it; its path is returned then."""
    path, kept = folder / name, None
    noted = folder / MARKER
    ours = dict(line.split() for line in noted.read_text("utf-8").splitlines())
    if path.is_file() and _digest(path.read_text("utf-8")) != ours.get(name):
        kept = _unused(path)
        path.rename(kept)
    path.write_text(text, "utf-8")
    ours[name] = _digest(text)
    noted.write_text("".join(f"{name} {digest}\n" for name, digest in ours.items()), "utf-8")
    return kept


def shipped(name: str) -> str:
    """The text of a file that comes with the demo."""
    return files("milepost.demo").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unused(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.stem}.yours-{number}{path.suffix}")).exists():
        number += 1
    return kept
