"""Standard output and standard error as they may be: closed, full, or with nobody left who reads them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STANDARD = (0, 1, 2)


def open_missing() -> None:
    """Put nothing in the place of standard streams that are closed.

    Else the next file that is opened, a database, would get their number, and what is said would be written into it.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open to the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open to the end


def quiet_drivers() -> None:
    """Keep what psycopg logs of its own troubles out of standard error, unless the user's program wants its logs."""
    logging.getLogger("psycopg").addHandler(logging.NullHandler())


def fall_silent(number: int) -> None:
    """From now on nothing that is written to this file number gets anywhere, and nothing raises."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


@contextmanager
def unheard(*numbers: int) -> Iterator[None]:
    """Say something; where it cannot be written (nobody reads, the disk is full) these file numbers fall silent.

    Saying must never end the work.
    """
    try:
        yield
    except OSError:
        for number in numbers:
            fall_silent(number)


def end_output() -> None:
    """Write what standard output still buffers. That its reader has gone (``| head``) is no error."""
    with unheard(1):
        sys.stdout.flush()
    with suppress(OSError):
        sys.stdout.flush()
