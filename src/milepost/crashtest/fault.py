"""What can be done to a run, and at which moment of it. Values only; every one has a name that names it again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from milepost.errors import PlanError


class Effect(StrEnum):
    """What a run does that the world, or it itself, may see."""

    STORE_WRITE = "store write"
    COMMIT = "commit"  # of a transaction that holds several writes
    SOURCE_READ = "source read"
    TARGET_WRITE = "target write"
    TARGET_READ = "target read"
    SINK_WRITE = "sink write"
    STEP = "step"
    ROLLBACK = "rollback"


class Kind(StrEnum):
    """What goes wrong."""

    KILL = "kill"  # SIGKILL
    ERROR = "error"  # an exception that is nobody's
    DROP = "drop"  # every connection is lost
    STALL = "stall"  # the call hangs for longer than a lease lasts
    LOST_ANSWER = "lost-answer"  # a commit is made, and its answer lost
    SLEEP = "sleep"  # SIGSTOP past the lease, while another run goes on


class Moment(StrEnum):
    """On which side of an effect."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``kind`` happens once, ``moment`` the effect ``number`` (from 1) of the first run of a round."""

    kind: Kind
    moment: Moment
    number: int

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.moment}:{self.number}"


@dataclass(frozen=True, kw_only=True)
class RandomKills:
    """SIGKILL from outside at moments drawn from ``seed`` and ``number``, again and again until the job completes."""

    seed: int
    number: int

    @property
    def name(self) -> str:
        return f"random:{self.seed}:{self.number}"


Script: TypeAlias = Fault | RandomKills


def script_named(name: str) -> Script:
    """The script of that name. Raises PlanError where there can be none."""
    try:
        head, second, third = name.split(":")
        if head == "random":
            return RandomKills(seed=int(second), number=int(third))
        fault = Fault(kind=Kind(head), moment=Moment(second), number=int(third))
    except ValueError:
        fault = None
    if fault is None or fault.number < 1:
        raise PlanError(
            f"{name} names no round", hint="Rounds are called as in kill:before:17 or random:42:3; the table has them."
        )
    return fault
