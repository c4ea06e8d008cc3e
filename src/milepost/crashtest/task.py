"""What one process of a round is told to do, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run of the job in a process of its own.

    ``reference`` is FILE in the round's copy of its folder, ``folder`` the working folder. ``source``, ``target`` and
    ``store`` are the scratch copies' URLs, ``databases`` maps the real places (as ``place_of`` names them) to them, for
    objects that name a database of their own; ``real`` are the URLs of those places, which must not be opened.
    ``openers`` is "module:name" of the Openers that are wrapped. ``fault`` is a Fault's name. ``journal`` is where the
    process writes what it does, ``output`` what it prints. Seconds for ``lease_seconds`` and ``stall_seconds``.
    ``action`` is an Action's name, ``parameters`` are given to the job. ``ask``: run nothing, say what is declared;
    URLs are then the user's own.
    """

    reference: str
    folder: str
    journal: str
    output: str
    source: str | None
    target: str | None
    store: str | None
    databases: Mapping[str, str] = field(default_factory=dict)
    real: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    openers: str = "milepost.wiring.openers:BY_URL"
    python_path: tuple[str, ...] = ()
    fault: str | None = None
    batch_rows: int | None = None
    lease_seconds: float = 60.0
    stall_seconds: float = 1.0
    ask: bool = False
    action: str = "run"
    parameters: Mapping[str, str] = field(default_factory=dict)


def task_of(document: Mapping[str, Any]) -> Task:
    """The task that ``dataclasses.asdict`` made JSON of."""
    lists = {name: tuple(document[name]) for name in ("python_path", "real")}
    return Task(**{**document, **lists})
