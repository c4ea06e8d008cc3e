"""Whether an object can be moved at all, looked at before anything is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from milepost.errors import PlanError
from milepost.migration.description import Description
from milepost.migration.duration import duration
from milepost.migration.fidelity import refusal
from milepost.migration.limit import allowed
from milepost.migration.migration import Migration
from milepost.migration.object import Object
from milepost.migration.restructure import renamed, restructure
from milepost.migration.source import Key, Source
from milepost.migration.table import Rows, Sink, Table
from milepost.migration.trial import Trial
from milepost.migration.warn import Shape, check_filled, fills_before_insert, warnings_of

TRIAL_ROWS = 3


def check_declaration(migration: Migration) -> None:
    """Raise PlanError for settings that cannot be, and for a columnar function (``takes=``): not carried out yet."""
    if migration.deletes not in ("report", "apply"):
        raise PlanError(f'{migration.name}: deletes={migration.deletes!r} must be "report" or "apply"')
    duration(migration.recheck_after, "recheck_after")
    if not isinstance(migration.batch_rows, int) or migration.batch_rows < 1:
        raise PlanError(f"{migration.name}: batch_rows={migration.batch_rows!r} must be a whole number, 1 or more")
    allowed(migration.max_rejects, 0)
    for each in migration.objects:
        _check_object_declaration(each)


def _check_object_declaration(each: Object) -> None:
    if isinstance(each.source, Table) and (each.source.id is not None or each.source.key is None):
        raise PlanError(
            f"{each.name}: the source {each.source.name} has an id=, which is for what a target makes itself",
            hint="Name the columns by which the source is read: key=.",
        )
    if getattr(each.target, "modified", None):
        raise PlanError(
            f"{each.name}: modified= tells when a row of the source was changed", hint="Move it to source=Table(…)."
        )
    if each.takes != "row":
        raise _not_yet(each.name, f"a columnar function (takes={each.takes!r})")
    _ = each.validator  # made now, so that a model that cannot be used is told here
    if each.on_duplicate not in ("reject", "last"):
        raise PlanError(f'{each.name}: on_duplicate={each.on_duplicate!r} must be "reject" or "last"')
    if each.function is not None and each.columns is not None:
        raise PlanError(f"{each.name} has both a function and columns=", hint="Keep one of them.")
    if each.max_rejects is not None:
        allowed(each.max_rejects, 0)
    _check_parent_declaration(each)


def _check_parent_declaration(each: Object) -> None:
    for columns, parent in each.parents.items():
        if isinstance(each.target, Sink) or isinstance(parent.target, Sink):
            raise PlanError(
                f"{each.name} has the parent {parent.name}, and what went into a Sink cannot be looked up:"
                " nobody could say whether a row's parent is there",
                hint="Leave parents= out; objects are moved in the order in which they are declared.",
            )
        if parent.target_id is not None:
            _check_column_of_id(each, columns, parent)
        elif len(columns) != len(parent.target_key):
            raise PlanError(
                f"{each.name}: the parent {parent.name} has the key ({', '.join(parent.target_key)}),"
                f" and parents= gives ({', '.join(columns)}) for it",
                hint="Give as many columns as the parent's key has: parents={('a', 'b'): parent}.",
            )


def _check_column_of_id(each: Object, columns: tuple[str, ...], parent: Object) -> None:
    if len(columns) == 1:
        return
    raise PlanError(
        f"{each.name}: parents= gives ({', '.join(columns)}) for {parent.name}, whose id goes into one column",
        hint="Give one column; where the parent is known by several values, it holds them as a tuple until then.",
    )


def check_copy(each: Object, source: Description, target: Description) -> None:
    """Raise PlanError where a plain copy would meet a column that is not there or cannot hold the values exactly."""
    names = renamed(each, source.names)
    for column in names.values():
        if source.column(column) is None:
            raise _no_column(each, source, column, "source")
    check_columns(each, target, tuple(names))
    if target.takes_any:
        return
    ids = {name for columns, parent in each.parents.items() if parent.target_id is not None for name in columns}
    for target_name, source_name in names.items():
        if target_name in ids:
            continue  # it comes to hold something else than the source has
        one, other = source.column(source_name), target.column(target_name)
        assert one is not None and other is not None  # noqa: PT018, S101 - looked up just above
        if reason := refusal(one, other):
            raise PlanError(f"{each.name}: {reason}")


def check_columns(each: Object, target: Description, columns: tuple[str, ...]) -> None:
    """Raise PlanError where the target lacks one of the columns, makes it itself, or key or parents are not filled."""
    for name in () if target.takes_any else columns:
        column = target.column(name)
        if column is None:
            raise _no_column(each, target, name, "target")
        if not column.writable or _is_made(each, name):
            raise PlanError(f"{each.name}: the target makes {target.name}.{name} itself", hint="Leave it out.")
    check_filled(each, target, columns)
    needed = [("key", () if each.is_mapped else each.target_key), *(("parent", names) for names in each.parents)]
    for role, names in needed:
        missing = [name for name in names if name not in columns]
        if missing:
            raise PlanError(
                f"{each.name}: its rows hold no {', '.join(missing)}, which is its {role}",
                hint=f"They hold {', '.join(columns)}.",
            )


def _is_made(each: Object, name: str) -> bool:
    """Whether the target is to make the column: its id, unless that is the key too, and given."""
    return name == each.target_id and (each.is_mapped or name not in each.target_key)


def check_store(each: Object, *, outside: bool) -> None:
    """Raise PlanError where the store alone knows an object's rows, and cannot commit together with them."""
    if each.is_mapped and outside:
        raise PlanError(
            f"{each.name}: {each.target.name} has no key= and the store is in another database: after a crash nobody"
            " could say which rows are there, and they would be doubled",
            hint="Name a key, or keep the store in the target (leave store= and --store out).",
        )


def check_target(each: Object, target: Description) -> None:
    """Raise PlanError where the target is no table, or holds the key not unique."""
    if target.takes_any:
        return
    if not target.is_table:
        raise PlanError(f"{each.name}: {target.name} is a view, and rows can only be loaded into a table")
    for name in each.target_key:
        if target.column(name) is None:
            raise _no_column(each, target, name, "target")
    _check_id(each, target)
    if frozenset(each.target_key) not in target.unique_keys:
        columns = ", ".join(each.target_key)
        raise PlanError(
            f"{each.name}: {target.name} has no unique index on its key ({columns}), so rows cannot be told apart",
            hint=f"CREATE UNIQUE INDEX ON {target.name} ({columns}), or name a key that is unique.",
        )


def _check_id(each: Object, target: Description) -> None:
    """The id must be there, and the table must make it. A trigger can make one only for a row that is there."""
    if each.target_id is None:
        return
    column = target.column(each.target_id)
    if column is None:
        raise _no_column(each, target, each.target_id, "target")
    by_trigger = not each.is_mapped and fills_before_insert(target)
    if _is_made(each, column.name) and not column.fills_itself and not by_trigger:
        raise PlanError(
            f"{each.name}: the table does not make {target.name}.{each.target_id} itself, which id= names",
            hint="Declare it an identity in PostgreSQL, INTEGER PRIMARY KEY in SQLite, or leave id= out.",
        )


def try_out(each: Object, source: Source, target: Description, after: Key | None) -> Trial | None:
    """Restructure the first rows behind ``after`` without loading them, to find a function that cannot work.

    Writes nothing. A function that takes the checkpoint is not tried, nor is the user's own reader called: None then.
    What a single row provokes is left for the run, which is to use the trial in the function's place.
    """
    if each.function is None or each.wants_checkpoint or isinstance(each.source, Rows):
        return None
    trial = Trial(each.function)
    for rows in source.read(after, None, TRIAL_ROWS):
        tried = restructure(each, trial.attempt, source.columns, rows[:TRIAL_ROWS], ())
        if tried.columns:
            check_columns(each, target, tried.columns)
            trial.columns, trial.rows = tried.columns, tried.rows
        break
    return trial


def look_ahead(
    each: Object, source: Description, target: Description, trial: Trial | None, later: Iterable[str] = ()
) -> tuple[str, ...]:
    """What is to be told beforehand of an object that can be moved. ``later`` are columns set in a second pass."""
    exact = each.function is None and not isinstance(each.source, Rows)
    columns = tuple(renamed(each, source.names)) if exact else trial.columns if trial is not None else None
    if exact:
        copied = renamed(each, source.names)
    else:
        copied = {name: name for name in columns or () if source.column(name) is not None}
    shape = Shape(
        columns=columns,
        rows=trial.rows if trial is not None else (),
        copied=copied,
        exact=exact,
        later=tuple(later),
    )
    return warnings_of(each, source, target, shape)


def _no_column(each: Object, description: Description, name: str, side: str) -> PlanError:
    near = difflib.get_close_matches(name, description.names, n=1)
    return PlanError(
        f"{each.name}: the {side} {description.name} has no column {name}",
        hint=f"Did you mean {near[0]}?" if near else f"It has {_listed(description.names)}.",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _not_yet(where: str, what: str) -> PlanError:
    return PlanError(f"{where} asks for {what}, which this version cannot do yet", hint="Leave it out for now.")
