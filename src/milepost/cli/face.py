"""Where a run is shown: a live tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TextIO

from milepost.cli.telling import STOPPING, Counted, announcement, counted, in_short, line, progress
from milepost.cli.view import Branch, View, branch_of
from milepost.clock import Clock
from milepost.jobs.event import BatchCommitted, CheckpointFailed, CheckpointSkipped, Event, PositionSaved

EVERY = 20.0  # seconds between two plain lines of progress
FEW = 50  # plain lines about steps; then they are only counted, and objects and failures have lines still
NONE: frozenset[str] = frozenset()


class Face(Protocol):
    """Something that shows a run. ``view`` is the one after the event."""

    def show(self, event: Event, view: View) -> None: ...

    def count(self, events: Sequence[CheckpointSkipped], view: View) -> None:
        """Checkpoints that were complete already, so many that they are only counted."""
        ...

    def say(self, text: str) -> None: ...

    def stopping(self) -> None:
        """Tell that the run will stop at the next commit. Called inside a signal handler."""
        ...

    def close(self) -> None: ...


def choose_face(*, live: bool, clock: Clock, hide: Callable[[str], str], objects: frozenset[str] = NONE) -> Face:
    """A live tree where standard error is a terminal that can move its cursor; ``live`` False: plain lines anyway.

    ``objects`` are the paths that always have plain lines of their own, however many there are.
    """
    if live and sys.stderr.isatty():
        from milepost.cli.live import LiveFace, can_move

        if can_move():
            return LiveFace(clock=clock, hide=hide)
    return PlainFace(sys.stderr, clock=clock, hide=hide, objects=objects)


class PlainFace:
    """Lines: one at each start and end of a checkpoint, and a few a minute in between."""

    def __init__(
        self, stream: TextIO, *, clock: Clock, hide: Callable[[str], str], objects: frozenset[str] = NONE
    ) -> None:
        self.stream = stream
        self.clock = clock
        self.hide = hide
        self.objects = objects
        self.latest = clock.monotonic()
        self.lines = 0
        self.counted = Counted()

    def show(self, event: Event, view: View) -> None:
        said = announcement(view, event)
        text = said or line(view, event)
        if text is not None and (said or self._deserves_a_line(event)):
            self.say(text)
        elif text is not None:
            self._count(event)
        elif isinstance(event, BatchCommitted | PositionSaved):
            self._progress(branch_of(view, event.path))

    def count(self, events: Sequence[CheckpointSkipped], view: View) -> None:
        self._count(*events)

    def say(self, text: str) -> None:
        print(self.hide(text), file=self.stream, flush=True)

    def stopping(self) -> None:
        with suppress(OSError):  # nobody may read it any more
            os.write(2, f"{STOPPING}\n".encode())  # a buffered stream may be in the middle of a write

    def close(self) -> None:
        """Say how many steps were only counted since the last line about them."""
        if self.counted.complete:
            self.say(in_short(self.counted))

    def _deserves_a_line(self, event: Event) -> bool:
        if isinstance(event, CheckpointFailed) or getattr(event, "path", "") in self.objects:
            return True
        self.lines += 1
        return self.lines <= FEW

    def _count(self, *events: Event) -> None:
        self.counted = counted(self.counted, *events)
        now = self.clock.monotonic()
        if now - self.latest >= EVERY:
            self.latest = now
            self.say(in_short(self.counted))
            self.counted = Counted()

    def _progress(self, branch: Branch) -> None:
        now = self.clock.monotonic()
        if now - self.latest >= EVERY:
            self.latest = now
            self.say(progress(branch, now))
