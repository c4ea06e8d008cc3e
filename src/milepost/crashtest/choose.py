"""Which rounds are played: every point for what is quick, some of every kind for what takes its time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from milepost.crashtest.fault import Effect, Fault, Kind, Moment, RandomKills, Script
from milepost.errors import PlanError

SLOW = (Kind.STALL, Kind.SLEEP)  # they wait for a lease to lapse
DURABLE = (Effect.STORE_WRITE, Effect.COMMIT)


def scripts(
    effects: Sequence[Effect], *, kinds: Collection[Kind], points: int | None, random: int, seed: int
) -> list[Script]:
    """The rounds of a job with these effects, at ``points`` of them (None: at all)."""
    spread_points = spread(len(effects), points)
    chosen: list[Script] = []
    for kind in Kind:
        if kind in kinds:
            numbers = _some(effects, spread_points) if kind in SLOW else spread_points
            chosen += [
                Fault(kind=kind, moment=moment, number=number)
                for number in numbers
                for moment in _moments(kind, effects[number - 1])
            ]
    return chosen + [RandomKills(seed=seed, number=number) for number in range(1, random + 1)]


def spread(effects: int, points: int | None) -> Sequence[int]:
    """Numbers of that many effects, evenly over all of them: the first, the last, and some between."""
    if points is None or points >= effects:
        return range(1, effects + 1)
    return [1 + each * (effects - 1) // max(1, points - 1) for each in range(points)]


def _moments(kind: Kind, effect: Effect) -> Iterator[Moment]:
    """When it can happen. A lost answer is one to a commit that was made; an effect that was made cannot be dropped."""
    if kind in (Kind.KILL, Kind.ERROR, Kind.DROP, Kind.STALL, Kind.SLEEP):
        yield Moment.BEFORE
    if kind in (Kind.KILL, Kind.ERROR) or (kind is Kind.LOST_ANSWER and effect in DURABLE):
        yield Moment.AFTER


def refuse_impossible(script: Script, effects: Sequence[Effect]) -> None:
    """Raises PlanError where a job with these effects has no such round."""
    if not isinstance(script, Fault):
        return
    if script.number > len(effects):
        raise PlanError(
            f"{script.name} is not reached: undisturbed, the job has {len(effects):,} points",
            hint="Give the options of the crash test that told of it (--batch-rows, --source, --target, --store).",
        )
    effect = effects[script.number - 1]
    if script.moment not in _moments(script.kind, effect):
        raise PlanError(
            f"{script.name} names no round: there is no {script.kind} {script.moment} a {effect}",
            hint="--verbose lists every round by its name.",
        )


def _some(effects: Sequence[Effect], numbers: Sequence[int]) -> list[int]:
    """Of those numbers the first and the last of every kind of effect."""
    chosen = set()
    for effect in dict.fromkeys(effects):
        places = [number for number in numbers if effects[number - 1] is effect]
        chosen |= {*places[:1], *places[-1:]}
    return sorted(chosen)
