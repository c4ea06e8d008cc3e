"""What a crash test found, as values: its rounds, what they have in common, which steps are to blame. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from milepost.crashtest.fault import Effect, Fault, Kind, Moment, Script


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round: a script played on a fresh place, then the job run again until it was complete.

    ``outcome`` is "same", else the worst of what was found: "stuck" (it hung), "failed" (it did not complete), "lost",
    "doubled" or "different". ``effect`` is what the fault hit (an Effect; "" where the run ended before it, or where
    kills came at random), ``at`` which of them. ``kills`` counts SIGKILLs, ``restarts`` the runs after the first.
    ``read_again`` counts rows that were read in all runs beyond those of the undisturbed one. ``steps`` and
    ``rollbacks`` say how often each ran. ``about`` names the tables, files or paths that differ, ``messages`` say how,
    and ``replay`` is the name that plays the round again.
    """

    script: Script
    effect: str
    at: str
    outcome: str
    kills: int
    restarts: int
    read_again: int
    steps: Mapping[str, int] = field(default_factory=dict)
    rollbacks: Mapping[str, int] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.outcome == "same"

    @property
    def replay(self) -> str:
        return self.script.name


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A step that seems not to be safe to run twice: what differs, differs in rounds where it ran more than once.

    ``kind`` is "sink", "rollback" (it has one, which ran), "transaction" (it used cp.transaction() or cp.each()) or
    "step". ``together``: only in rounds where two runs were at work at once, because one had slept past its lease.
    """

    step: str
    about: tuple[str, ...]
    rounds: int
    kind: str = "step"
    together: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """All of a crash test. ``effects`` is how many the undisturbed run had, ``rows`` how many it read.

    ``steps`` and ``rollbacks`` say how often each ran undisturbed. ``notes`` are for people: what is left out of the
    comparison, and why. ``points`` is at how many of the effects faults were played, None where the rounds were named
    one by one. ``for_real`` tells which functions of the user's were
    run for real. ``sinks`` are objects whose target is the user's function, ``transactions`` the steps that used
    cp.transaction() or cp.each(). ``batch_rows`` is the most that is read again after a kill.
    """

    job: str
    seed: int
    effects: int
    rows: int
    seconds: float
    batch_rows: int
    steps: Mapping[str, int]
    rollbacks: Mapping[str, int]
    rounds: tuple[Round, ...]
    notes: tuple[str, ...] = ()
    points: int | None = None
    for_real: tuple[str, ...] = ()
    sinks: frozenset[str] = frozenset()
    transactions: frozenset[str] = frozenset()

    @property
    def ok(self) -> bool:
        """Whether every round ended as the undisturbed run did."""
        return all(each.ok for each in self.rounds)

    @property
    def failures(self) -> tuple[Round, ...]:
        return tuple(each for each in self.rounds if not each.ok)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(each.outcome for each in self.rounds)

    @property
    def kills(self) -> int:
        return sum(each.kills for each in self.rounds)

    @property
    def read_again(self) -> int:
        return sum(each.read_again for each in self.rounds)

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        return suspects(self)

    @property
    def repeated(self) -> dict[str, int]:
        """In how many rounds each step, or Sink, was run more often than undisturbed."""
        found = Counter[str]()
        for each in self.rounds:
            found.update(name for name in _ran_again(each, self) if _began(each, name) > self.steps.get(name, 0))
        return dict(found)


def suspects(report: Report) -> tuple[Suspect, ...]:
    """The steps that explain most: of those that ran more often than undisturbed in a round that differs.

    A step that also ran more often in rounds that came out the same is named only where no other explains the round.
    """
    again = {each.replay: _ran_again(each, report) for each in report.rounds}
    harmless = {step for each in report.rounds if each.ok for step in again[each.replay]}
    blamed: dict[str, list[Round]] = {}
    for each in report.failures:
        for step in again[each.replay] - harmless or again[each.replay]:
            blamed.setdefault(step, []).append(each)
    return tuple(
        Suspect(
            step=step,
            about=tuple(dict.fromkeys(name for each in rounds for name in each.about)),
            rounds=len(rounds),
            kind=_kind(step, report),
            together=all(_at_once(each) for each in rounds),
        )
        for step, rounds in sorted(blamed.items(), key=lambda item: -len(item[1]))
    )


def _kind(step: str, report: Report) -> str:
    if step in report.sinks:
        return "sink"
    if any(each.rollbacks.get(step) for each in report.rounds):
        return "rollback"
    return "transaction" if step in report.transactions else "step"


def _at_once(each: Round) -> bool:
    """Whether a run that had slept went on beside the one that had taken over."""
    return isinstance(each.script, Fault) and each.script.kind is Kind.SLEEP and bool(each.effect)


def _began(each: Round, step: str) -> int:
    """How often the function itself was entered: a kill or an error just before it came first."""
    script = each.script
    before = isinstance(script, Fault) and script.moment is Moment.BEFORE and script.kind in (Kind.KILL, Kind.ERROR)
    return each.steps[step] - (before and each.at == step and each.effect in (Effect.STEP, Effect.SINK_WRITE))


def _ran_again(each: Round, report: Report) -> set[str]:
    return {step for step, times in each.steps.items() if times > report.steps.get(step, 0)}
