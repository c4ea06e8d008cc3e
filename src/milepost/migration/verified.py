"""What came of comparing a migration: for each object, and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from milepost.jobs.state import JSON
from milepost.migration.findings import Example, Findings, Kind, first_of_each


@dataclass(frozen=True, kw_only=True)
class VerifiedObject:
    """``found`` is what was found, ``left`` what still differs after a repair (None: nothing was to be repaired).

    ``compared``: its rows were looked at. ``whole``: all of them. ``extra_known``: rows that nothing accounts for were
    looked for. ``notes`` say what was not, and why.
    """

    name: str
    found: Findings
    left: Findings | None = None
    compared: bool = False
    whole: bool = False
    extra_known: bool = False
    notes: tuple[str, ...] = ()

    @property
    def now(self) -> Findings:
        """What differs now."""
        return self.found if self.left is None else self.left

    @property
    def ok(self) -> bool:
        return self.whole and not self.now.differs


@dataclass(frozen=True, kw_only=True)
class Verified:
    """``sample`` and ``seed`` say which rows were looked at, where these were not all."""

    job: str
    objects: tuple[VerifiedObject, ...]
    sample: float | None = None
    seed: int | None = None
    repaired: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything was compared, and nothing differs."""
        return all(each.ok for each in self.objects)


def with_extra(found: Findings, count: int, keys: Sequence[JSON], most: int) -> Findings:
    """The findings with the rows of the target that nothing accounts for."""
    examples = tuple(Example(kind=Kind.EXTRA, target_key=key) for key in keys)
    return replace(found, extra=count, examples=first_of_each((*found.examples, *examples), most))


def after_repair(found: Findings, loaded: Findings, again: Findings, most: int) -> Findings:
    """What is true once those rows that ``loaded`` counts were loaded again, and compared once more: ``again``."""
    return replace(found.minus(loaded).plus(again, most), read=found.read)
