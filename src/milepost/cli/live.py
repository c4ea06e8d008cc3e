"""The live tree, by rich. Loaded only where there is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from milepost.cli.draw import frame
from milepost.cli.tables import console, plain_signs
from milepost.cli.telling import STOPPING, announcement
from milepost.cli.view import View
from milepost.clock import Clock
from milepost.jobs.event import CheckpointSkipped, Event, RunStarted

FRAMES = 5  # a second


def can_move() -> bool:
    """Whether the terminal on standard error can redraw lines (one that calls itself dumb cannot)."""
    return not console(to_stderr=True).is_dumb_terminal


class LiveFace:
    """The tree is redrawn a few times a second and cleared at the end; announcements stay above it."""

    def __init__(self, *, clock: Clock, hide: Callable[[str], str]) -> None:
        self.clock = clock
        self.hide = hide
        self.view = View()
        self.is_stopping = False
        self.console = console(to_stderr=True)
        self.plain = plain_signs(self.console)
        self.live = Live(
            console=self.console,
            get_renderable=self._frame,
            refresh_per_second=FRAMES,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        self.live.start()

    def show(self, event: Event, view: View) -> None:
        self.view = view
        text = None if isinstance(event, RunStarted) else announcement(view, event)  # the tree's first line says it
        if text is not None:
            self.say(text)

    def count(self, events: Sequence[CheckpointSkipped], view: View) -> None:
        self.view = view

    def say(self, text: str) -> None:
        self.console.print(Text(self.hide(text)))

    def stopping(self) -> None:
        self.is_stopping = True  # the next frame says it: a signal handler must not print

    def close(self) -> None:
        self.live.stop()

    def _frame(self) -> RenderableType:
        if not self.view.job:
            return Text("")
        note = STOPPING if self.is_stopping else None
        return frame(self.view, self.clock.monotonic(), height=self.console.height, plain=self.plain, note=note)
