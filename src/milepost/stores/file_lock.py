"""Locks on files beside a database, which end with their process however it ends.

One file for each epoch: a run that was taken over while it was stopped keeps its own, and hides nobody's.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

from milepost.errors import StoreError
from milepost.stores.encode import slug_of
from milepost.stores.inherited import keep_from_children


def lease_file(database: Path, job: str, epoch: int) -> Path:
    """Where the run of that epoch holds its lock."""
    return database.with_name(f"{database.name}-{slug_of(job)}-{epoch}.lease")


def take(file: Path) -> FileIO:
    """Lock the file, made if need be, and return it open; closing it unlocks.

    It ends with this process alone: neither a program that is started nor a forked child keeps it.
    """
    try:
        opened = FileIO(os.open(file, os.O_RDWR | os.O_CREAT, 0o666), "r+")
    except OSError as error:
        raise StoreError(
            f"the lease file {file} cannot be made: {error.strerror}",
            hint="A run keeps a file beside its store; allow it to write in that folder.",
        ) from error
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        opened.close()
        raise StoreError(
            f"the lease file {file} cannot be locked: {error.strerror}",
            hint="Keep the store on a local disk, where files can be locked.",
        ) from error
    keep_from_children(opened)
    return opened


def is_free(file: Path) -> bool:
    """Whether the file is there and nobody holds its lock: its holder is dead. When unsure, False."""
    return _is_locked(file) is False


def is_held(file: Path) -> bool:
    """Whether the file is there and somebody holds its lock. When unsure, False."""
    return _is_locked(file) is True


def _is_locked(file: Path) -> bool | None:
    """None where it cannot be known."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: those who look do not see each other
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)


def sweep(database: Path, job: str, epoch: int) -> None:
    """Remove the files of epochs before ``epoch``, which nobody asks about again."""
    head = f"{database.name}-{slug_of(job)}-"
    for file in database.parent.glob("*.lease"):
        number = file.name.removeprefix(head).removesuffix(".lease")
        if file.name.startswith(head) and number.isdecimal() and int(number) < epoch:
            with suppress(OSError):
                file.unlink()
