"""Source rows to target rows, by the user's function or by renaming. Pure but for what the user's function does."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from operator import itemgetter
from typing import Any

from milepost.errors import MilepostError, PlanError, Rejected, mask
from milepost.jobs.state import JSON
from milepost.migration.object import Object
from milepost.migration.source import Row

Apply = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Unmoved:
    """A source row that will not be loaded: its index in the batch, the stage, the reason.

    ``target_key`` and ``parent`` are as a :class:`~milepost.jobs.ledger.RejectedRow` has them.
    """

    index: int
    stage: str
    reason: str
    target_key: JSON = None
    parent: JSON = None


@dataclass(kw_only=True)
class Restructured:
    """A batch in the target's shape: ``origins[i]`` is the index of the source row that ``rows[i]`` came from.

    ``columns`` is empty as long as no row has shown what they are.
    """

    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    origins: Sequence[int] = ()
    filtered: int = 0
    rejects: list[Unmoved] = field(default_factory=list)
    splits: bool = False


def rename(each: Object, names: tuple[str, ...], rows: list[Row]) -> Restructured:
    """A plain copy: the columns under their target names. A model says which rows may go; values stay as they are."""
    pairs = renamed(each, names)
    done = Restructured(columns=tuple(pairs))
    done.origins, _ = _given(each, names, rows, done)
    if done.rejects:
        rows = [rows[index] for index in done.origins]
    if tuple(pairs.values()) != names:
        pick = picker([names.index(source) for source in pairs.values()])
        rows = [pick(row) for row in rows]
    done.rows = rows
    return done


def renamed(each: Object, names: tuple[str, ...]) -> dict[str, str]:
    """Target to source columns of a plain copy that reads ``names``."""
    return dict(each.columns) if each.columns is not None else {name: name for name in names}


def restructure(
    each: Object, apply: Apply, names: tuple[str, ...], rows: list[Row], columns: tuple[str, ...]
) -> Restructured:
    """Call ``apply`` once for each row. ``columns`` are those that the object's first row had (empty: this is it).

    What the function raises is the row's reject; what it returns must be a dict, None or a list of dicts. Raises
    PlanError where it returns anything else: that is the function's mistake, not the row's. A row that the object's
    model does not allow is its reject before.
    """
    done = Restructured(columns=columns)
    origins: list[int] = []
    pick = picker(columns)
    indexes, given = _given(each, names, rows, done)
    for index, row in zip(indexes, given):  # noqa: B905 - one is made from the other
        try:
            result = apply(row)
        except Rejected as rejected:
            done.rejects.append(Unmoved(index=index, stage="restructure", reason=masked(rejected.message)))
            continue
        except MilepostError:
            raise  # what the checkpoint said (a lost lease, a store out of reach) is no row's fault
        except Exception as error:  # noqa: BLE001 - whatever a row provokes in the user's function is that row's
            done.rejects.append(Unmoved(index=index, stage="restructure", reason=masked(explain(error))))
            continue
        if result.__class__ is dict and 0 < len(result) == len(done.columns):
            try:
                done.rows.append(pick(result))
            except KeyError:
                pass  # its columns are others: told below
            else:  # the ordinary row, as quickly as can be
                origins.append(index)
                continue
        pick = _place(each, done, result, pick)
        origins += [index] * (len(done.rows) - len(origins))
    done.origins = origins
    return done


def _given(
    each: Object, names: tuple[str, ...], rows: list[Row], done: Restructured
) -> tuple[Sequence[int], Iterable[dict[str, Any]]]:
    """The rows as the function is given them, with their indexes; those that its model does not allow are rejects."""
    if each.validator is None:
        return range(len(rows)), map(dict, map(zip, repeat(names), rows))
    checked = each.validator.check(names, rows)
    for index, error in checked.failed:
        if isinstance(error, MilepostError) and not isinstance(error, Rejected):
            raise error
        reason = error.message if isinstance(error, Rejected) else explain(error)
        done.rejects.append(Unmoved(index=index, stage="validate", reason=masked(reason)))
    return checked.indexes, checked.given


def _place(each: Object, done: Restructured, result: Any, pick: Callable[[Any], Row]) -> Callable[[Any], Row]:
    """Add whatever the function returned for one row; returns the picker, which the first row makes."""
    if result is None or result == []:
        done.filtered += 1
        return pick
    for one in _dicts(each, result):
        if not done.columns:
            done.columns = tuple(one)
            pick = picker(done.columns)
        done.rows.append(_picked(each, one, pick, done.columns))
    done.splits = done.splits or isinstance(result, list)
    return pick


def picker(names: Sequence[Any]) -> Callable[[Any], Row]:
    """A function that takes the named values as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)


def explain(error: Exception) -> str:
    """The error in one line, with the place in the user's function."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {error}{where}"


def masked(reason: str) -> str:
    """A reason as it may be kept and shown: without passwords."""
    if "=" in reason or "://" in reason:  # without these nothing is masked, and there may be very many reasons
        return mask(reason)
    return reason


def _dicts(each: Object, result: Any) -> Iterator[dict[str, Any]]:
    rows = result if isinstance(result, list) else (result,)
    for row in rows:
        if not isinstance(row, dict) or not row:
            raise PlanError(
                f"{each.name}: the restructure function returned {_named(result)}",
                hint="Return a dict of target columns, None to filter the row, or a list of dicts to split it.",
            )
        yield row


def _named(result: Any) -> str:
    if result == {}:
        return "an empty dict"
    inside = f" of {type(result[0]).__name__}" if isinstance(result, list) and result else ""
    return f"a {type(result).__name__}{inside}"


def _picked(each: Object, row: dict[str, Any], pick: Callable[[Any], Row], columns: tuple[str, ...]) -> Row:
    try:
        if len(row) == len(columns):
            return pick(row)
    except KeyError:
        pass
    missing, more = [c for c in columns if c not in row], [c for c in row if c not in columns]
    differs = [f"without {', '.join(missing)}"] * bool(missing) + [f"with {', '.join(map(str, more))}"] * bool(more)
    raise PlanError(
        f"{each.name}: the restructure function returned a row {' and '.join(differs)}, unlike the first row",
        hint="Return the same columns for every row; None stands for NULL.",
    )


def torn(batch: Restructured, refused: list[Unmoved]) -> list[Unmoved]:
    """The refused source rows of which other parts would be loaded, each once."""
    if not batch.splits:
        return []
    parts, lost = Counter(batch.origins), Counter(one.index for one in refused)
    first = {one.index: one for one in reversed(refused)}
    return [first[index] for index in sorted(first) if lost[index] < parts[index] or lost[index] > 1]


def without(batch: Restructured, halves: list[Unmoved]) -> Restructured:
    """The batch without every part of those source rows, which become its rejects."""
    gone = {one.index for one in halves}
    kept = [position for position, origin in enumerate(batch.origins) if origin not in gone]
    return replace(
        batch,
        rows=[batch.rows[position] for position in kept],
        origins=[batch.origins[position] for position in kept],
        rejects=[*batch.rejects, *halves],
    )
