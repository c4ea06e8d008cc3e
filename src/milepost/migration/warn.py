"""What is to be told of an object before it is moved: its target may do something that nobody expects. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from milepost.errors import PlanError
from milepost.migration.cut import cut
from milepost.migration.description import Column, Description, Kind
from milepost.migration.object import Object
from milepost.migration.source import Row


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an object's rows look like in the target, as far as that is known before they are moved.

    ``columns`` are those that they fill (None: not known), ``rows`` the first of them. ``copied`` are the source's
    columns by the target's where it is a plain copy (``exact``), or where a function has columns of the same names.
    ``later`` are columns that are set in a second pass.
    """

    columns: tuple[str, ...] | None = None
    rows: Sequence[Row] = ()
    copied: Mapping[str, str] = field(default_factory=dict)
    exact: bool = False
    later: tuple[str, ...] = ()


def warnings_of(each: Object, source: Description, target: Description, shape: Shape) -> tuple[str, ...]:
    """Every warning, in order of weight; empty for a target that takes anything."""
    if target.takes_any:
        return ()
    return (
        *_filled_by_triggers(each, target, shape),
        *(told := _cut_values(target, shape)).values(),
        *_narrower(source, target, shape, told),
        *_second_keys(each, source, target, shape),
        *_more_uniques(target),
        *_update_triggers(target, shape),
    )


def check_filled(each: Object, target: Description, columns: Sequence[str]) -> None:
    """Raise PlanError where a column that may not be NULL is filled by nothing, not even a trigger perhaps."""
    empty = _unfilled(each, target, columns)
    if not empty or fills_before_insert(target):
        return
    how = "Return it from the function" if each.function is not None else "Name it in columns="
    raise PlanError(
        f"{each.name}: nothing fills {_of(target, empty)}, which may not be NULL",
        hint=f"{how}, or give the column a default.",
    )


def _unfilled(each: Object, target: Description, columns: Sequence[str]) -> list[str]:
    filled = {*columns, each.target_id}
    return [
        column.name
        for column in target.columns
        if not column.nullable and not column.fills_itself and column.name not in filled
    ]


def _filled_by_triggers(each: Object, target: Description, shape: Shape) -> Iterator[str]:
    if shape.columns is None:
        return
    empty = _unfilled(each, target, (*shape.columns, *shape.later))
    if empty and (triggers := fills_before_insert(target)):
        does = "runs" if len(triggers) == 1 else "run"
        yield (
            f"nothing fills {_of(target, empty)}, which may not be NULL, unless {_listed(triggers)} does, which {does}"
            " before each insert: rows that stay without are rejected"
        )


def fills_before_insert(target: Description) -> list[str]:
    """The triggers that may fill a column of a row before it is inserted, by name."""
    return [trigger.name for trigger in target.triggers if trigger.before and "insert" in trigger.events]


def _cut_values(target: Description, shape: Shape) -> dict[str, str]:
    """Of each column the first value that does not fit, among the rows that were tried."""
    found: dict[str, str] = {}
    for place, name in enumerate(shape.columns or ()):
        column = target.column(name)
        if column is None:
            continue
        cuts = ((row[place], why) for row in shape.rows if (why := cut(row[place], column)))
        for value, why in islice(cuts, 1):
            given = f"{target.name}.{name}{_native(column)} is given {_shown(value)}"
            found[name] = f"{given}: {why}; such rows are rejected"
    return found


def _narrower(source: Description, target: Description, shape: Shape, told: Mapping[str, str]) -> Iterator[str]:
    """Columns, not told of yet, whose values may be longer at the source than the target's column takes."""
    found = []
    for name, source_name in shape.copied.items():
        if name in told:
            continue
        one, other = source.column(source_name), target.column(name)
        if one is not None and other is not None and _may_be_cut(one, other, exact=shape.exact):
            found.append(f"{name}{_native(other)} from {_of(source, [source_name])}{_native(one)}")
    if found:
        maybe = "" if shape.exact else ", unless the function sees to it"
        yield f"values may be too long for {_listed(found)}: those that do not fit are rejected, never cut{maybe}"


def _may_be_cut(one: Column, other: Column, *, exact: bool) -> bool:
    if one.kind is Kind.DYNAMIC:
        return exact and (other.length is not None or (other.kind is Kind.DECIMAL and other.scale is not None))
    if (one.kind, other.kind) == (Kind.TEXT, Kind.TEXT):
        return other.length is not None and (one.length is None or one.length > other.length)
    if (one.kind, other.kind) == (Kind.DECIMAL, Kind.DECIMAL) and other.scale is not None:
        return one.scale is None or one.scale > other.scale or _whole(one) > _whole(other)
    if (one.kind, other.kind) == (Kind.INTEGER, Kind.INTEGER):
        return (one.bits or 64) > (other.bits or 64)
    return False


def _whole(column: Column) -> int:
    return (column.precision or 0) - (column.scale or 0)


def _second_keys(each: Object, source: Description, target: Description, shape: Shape) -> Iterator[str]:
    key = frozenset(each.target_key)
    for unique in target.unique_keys:
        if unique >= key or unique == {each.target_id} or not _is_filled(unique, shape):
            continue
        columns = _listed(sorted(unique, key=target.names.index))
        key_there = f", not only by its key ({_listed(each.target_key)})" if not each.is_mapped else ""
        what_else = f". Where it tells rows apart, name it: key=({columns})" if each.is_mapped else ""
        yield (
            f"{target.name} is unique by ({columns}) too{key_there}: of two rows with the same the second is rejected"
            f"{_held_by(source, unique, shape)}{what_else}"
        )


def _more_uniques(target: Description) -> Iterator[str]:
    if target.more_uniques:
        yield (
            f"{target.name} is unique by {_listed(target.more_uniques)} too, for some rows, by an expression, or"
            " checked late: of two rows that are the same there the second is rejected"
        )


def _is_filled(unique: frozenset[str], shape: Shape) -> bool:
    """Whether rows fill a column of it. What they leave out the table fills by itself, or with NULL."""
    return shape.columns is None or not unique.isdisjoint((*shape.columns, *shape.later))


def _held_by(source: Description, unique: frozenset[str], shape: Shape) -> str:
    """Whether rows of this object alone could collide."""
    if not shape.exact or any(name not in shape.copied for name in unique):
        return ""
    copied = {shape.copied[name] for name in unique}
    if any(held <= copied for held in source.unique_keys):
        return "; the source holds it unique, so that only rows which are there already can be in the way"
    return "; the source does not hold it unique"


def _update_triggers(target: Description, shape: Shape) -> Iterator[str]:
    names = [trigger.name for trigger in target.triggers if "update" in trigger.events]
    if not names:
        return
    later = f", and for each row when {_listed(shape.later)} is set in the second pass" if shape.later else ""
    one = len(names) == 1
    yield (
        f"{_listed(names)} of {target.name} {'is a trigger' if one else 'are triggers'} on update: where rows meet rows"
        " that are there (rows from before, a replay, a rewind, recheck, catch-up, retry, repair),"
        f" {'it fires' if one else 'they fire'} for each that really differs{later}"
    )


def _of(description: Description, names: Sequence[str]) -> str:
    return _listed(f"{description.name}.{name}" for name in names)


def _native(column: Column) -> str:
    return f" ({column.native})" if column.native else ""


def _shown(value: object) -> str:
    text = repr(value) if value is not None else "NULL"
    return text if len(text) <= 40 else f"{text[:39]}…"


def _listed(names: Sequence[str] | Iterator[str]) -> str:
    return ", ".join(names)
