"""What a comparison of source and target found: numbers, and a few examples of each kind. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.expected import Expected
from milepost.migration.target import Compared

NUMBERS = ("read", "equal", "missing", "differing", "extra", "refused", "rejected", "filtered", "met")

LONG = 1000  # characters of a value that an example shows whole
AROUND = 100  # and how many before and behind the first difference it shows of a longer one


class Kind(StrEnum):
    """What can be wrong with a row."""

    MISSING = "missing"  # it should be in the target, and is not
    DIFFERING = "differing"  # it is there, with other values
    EXTRA = "extra"  # it is in the target, and no row of the source accounts for it
    REFUSED = "refused"  # it could not be moved as it is now, and is not among the rejects


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row with which something is wrong.

    ``key`` is the source's, ``target_key`` the target's, as JSON lists; None where it is not known. ``columns`` are
    those that differ, each with the target's value and the one that it should have. ``reason`` is why it cannot be
    moved, or why it was rejected before.
    """

    kind: Kind
    key: JSON = None
    target_key: JSON = None
    columns: Mapping[str, Sequence[JSON]] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Of one object, so far. ``rejected`` are known rejects that still cannot be moved.

    read = equal + missing + differing + refused + rejected + filtered; where a function splits rows, ``equal``,
    ``missing`` and ``differing`` count target rows. ``extra`` is known once the whole source was read. ``met`` are the
    rows of the target that some row of the source accounts for.
    """

    read: int = 0
    equal: int = 0
    missing: int = 0
    differing: int = 0
    extra: int = 0
    refused: int = 0
    rejected: int = 0
    filtered: int = 0
    met: int = 0
    examples: tuple[Example, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.missing or self.differing or self.extra or self.refused)

    @property
    def counts(self) -> Counts:
        """As a load that put it right would count."""
        return Counts(
            read=self.read,
            loaded=self.missing + self.differing,
            unchanged=self.equal,
            filtered=self.filtered,
            rejected=self.rejected + self.refused,
        )

    def plus(self, other: Findings, most: int) -> Findings:
        """Both together, with at most ``most`` examples of each kind."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in NUMBERS}
        return Findings(**sums, examples=first_of_each((*self.examples, *other.examples), most))

    def minus(self, other: Findings) -> Findings:
        """Without the numbers of some of the rows; with none of the examples."""
        return Findings(**{name: getattr(self, name) - getattr(other, name) for name in NUMBERS})

    def explained(self, target_keys: Collection[str]) -> Findings:
        """Without these differences, named by the target's keys as JSON text: what is there is as it should be."""
        number = len(target_keys)
        return replace(
            self,
            equal=self.equal + number,
            differing=self.differing - number,
            met=self.met - number,
            examples=tuple(
                one
                for one in self.examples
                if one.kind is not Kind.DIFFERING or json.dumps(one.target_key) not in target_keys
            ),
        )

    def as_json(self) -> JSON:
        return {**asdict(self), "examples": [{**asdict(one), "columns": _lists(one.columns)} for one in self.examples]}


def _lists(columns: Mapping[str, Sequence[JSON]]) -> JSON:
    return {name: list(pair) for name, pair in columns.items()}


def recorded(found: JSON) -> Findings:
    """What ``as_json`` gave; nothing found for None."""
    if found is None:
        return Findings()
    examples = tuple(Example(**{**one, "kind": Kind(one["kind"])}) for one in found["examples"])
    return Findings(**{**found, "examples": examples})


def shortened(columns: Mapping[str, Sequence[JSON]]) -> dict[str, Sequence[JSON]]:
    """Long texts cut down to what lies around the first character that differs, so that examples stay small."""
    return {name: _cut(*pair) for name, pair in columns.items()}


def _cut(there: JSON, wanted: JSON) -> Sequence[JSON]:
    if max((len(each) for each in (there, wanted) if isinstance(each, str)), default=0) <= LONG:
        return [there, wanted]
    one, other = (each if isinstance(each, str) else json.dumps(each) for each in (there, wanted))
    same = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(one), len(other)) if same is None else same) - AROUND)
    return [_part(one, start), _part(other, start)]


def _part(text: str, start: int) -> str:
    end = start + 2 * AROUND
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


class HasKind(Protocol):
    @property
    def kind(self) -> Kind: ...


One = TypeVar("One", bound=HasKind)


def first_of_each(ones: Iterable[One], most: int) -> tuple[One, ...]:
    """The first ``most`` of each kind, in their order."""
    seen: Counter[Kind] = Counter()
    kept = []
    for one in ones:
        seen[one.kind] += 1
        if seen[one.kind] <= most:
            kept.append(one)
    return tuple(kept)


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A row of a batch with which something is wrong: ``index`` is the source row's, ``place`` the target row's.

    ``place`` is None where there is no target row to it.
    """

    index: int
    place: int | None
    kind: Kind
    columns: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A batch's numbers, and each of its rows with which something is wrong, in order.

    ``again`` are the source rows that a repair loads again, and ``of_those`` the part of the numbers that counts them:
    those that are wrong, and rejects that lack a later parent only, which the repair may bring.
    """

    findings: Findings
    wrong: tuple[Wrong, ...]
    again: tuple[int, ...]
    of_those: Findings


def judge(read: int, expected: Expected, compared: Compared, known: Mapping[int, RejectedRow]) -> Judged:
    """Sort a batch of ``read`` source rows by what the target holds. ``known`` are rejects by the source row's index.

    A known reject is taken for one as long as it cannot be moved: its function, its parent or the target refuse it, a
    row that came first holds its key, or it failed at the load, of which a comparison cannot know.
    """
    unmoved = _unmoved(expected, compared)
    still = {index for index in unmoved if index in known}
    wrong = [_refused(index, reason) for index, reason in unmoved.items() if index not in known]
    for one in _unlike(expected, compared, known):
        if one.index in unmoved:
            continue  # of a row that was split, and of which another part cannot be moved
        if _is_still_rejected(one.kind, known.get(one.index)):
            still.add(one.index)
        else:
            wrong.append(one)
    equal = _equal(expected, compared, known)
    number = Counter(one.kind for one in wrong)
    wrong += [_refused(index, reason) for index, reason in equal.refused.items()]
    found = Findings(
        read=read,
        equal=equal.rows,
        missing=number[Kind.MISSING],
        differing=number[Kind.DIFFERING],
        refused=number[Kind.REFUSED] + len(equal.refused),
        rejected=len(still | equal.rejected),
        filtered=expected.batch.filtered,
        met=equal.met + number[Kind.DIFFERING],
    )
    lacking = [index for index in equal.rejected if index in expected.unset]
    again = Findings(
        read=len({one.index for one in wrong} | {*lacking}),
        missing=found.missing,
        differing=found.differing,
        refused=found.refused,
        rejected=len(lacking),
        met=found.differing + len(equal.refused) + len(lacking),
    )
    wrong.sort(key=lambda one: one.index)
    indexes = tuple(sorted({one.index for one in wrong} | {*lacking}))
    return Judged(findings=found, wrong=tuple(wrong), again=indexes, of_those=again)


def _refused(index: int, reason: str) -> Wrong:
    return Wrong(index=index, place=None, kind=Kind.REFUSED, reason=reason)


def _unmoved(expected: Expected, compared: Compared) -> dict[int, str]:
    """The source rows that cannot be moved as they are, with the reason."""
    origins, places = expected.batch.origins, expected.places
    every = [(one.index, one.reason) for one in expected.batch.rejects]
    every += [(origins[places[one.index]], one.reason) for one in compared.refused]
    return dict(reversed(every))


def _unlike(expected: Expected, compared: Compared, known: Mapping[int, RejectedRow]) -> Iterator[Wrong]:
    """The target rows that are missing or differ."""
    origins, places = expected.batch.origins, expected.places
    for place in (*(places[one] for one in compared.missing), *expected.unknown):
        index = origins[place]
        reason = f"it was rejected: {known[index].reason}" if index in known else None
        yield Wrong(index=index, place=place, kind=Kind.MISSING, reason=reason)
    for one in compared.differing:
        place = places[one.index]
        yield Wrong(index=origins[place], place=place, kind=Kind.DIFFERING, columns=one.columns)


def _is_still_rejected(kind: Kind, before: RejectedRow | None) -> bool:
    stage = None if before is None else before.stage
    return stage == ("load" if kind is Kind.MISSING else "duplicate")


@dataclass(kw_only=True)
class _Equal:
    """Of the rows that are as expected: how many there are, and how many ``met`` a row of their own.

    ``rejected`` are known rejects all the same: another row, which came first, was like them, or the row is there
    without its later parent. ``refused`` lack that parent, and are not known for it.
    """

    rows: int
    met: int
    rejected: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


def _equal(expected: Expected, compared: Compared, known: Mapping[int, RejectedRow]) -> _Equal:
    found = _Equal(rows=compared.equal, met=compared.equal)
    doubles = {index for index, one in known.items() if one.stage == "duplicate"}
    if not doubles and not expected.unset:
        return found
    unlike = {*compared.missing, *(one.index for one in compared.differing), *(one.index for one in compared.refused)}
    for place, whole in enumerate(expected.places):
        index = expected.batch.origins[whole]
        if place in unlike or (index not in doubles and index not in expected.unset):
            continue
        found.rows -= 1
        found.met -= index in doubles
        if index in known:
            found.rejected.add(index)
        else:
            found.refused[index] = expected.unset[index]
    return found
