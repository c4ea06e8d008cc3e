"""Say why a parent is not there: its row was rejected, or is in the source and was left out. Only orphans cost this."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from milepost.errors import Fatal, PlanError
from milepost.jobs.bound_store import BoundStore
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.kept_key import keeps_key
from milepost.migration.keys import canonical, decode, shown
from milepost.migration.object import Object
from milepost.migration.resolve import Orphan
from milepost.migration.restructure import picker
from milepost.migration.route import Route
from milepost.migration.table import Rows


@dataclass(frozen=True, kw_only=True)
class _Cause:
    """What became of a parent's row, in words, and the parents that this row lacked itself."""

    reason: str
    parents: Sequence[JSON] = ()


def explained(store: BoundStore, route: Route, orphans: Sequence[Orphan]) -> list[Orphan]:
    """The orphans with the reasons why their parents are not there, as far as those are known.

    For each parent object two queries of the store for all orphans; for what that does not know, one of the parent's
    source, where its keys are those of the target: else it would say of one row what became of another. The parents
    that a rejected parent lacked itself are told too.
    """
    causes: dict[str, _Cause] = {}
    for name, keys in _by_object(orphans).items():
        parents = _filling(route.object, name)
        by_source_key = [parent for parent in parents if keeps_key(parent, store.recall(parent.name))]
        for parent in parents:
            causes |= _rejected(store, parent, name, keys, by_source_key=parent in by_source_key)
        left = [key for key in keys if _text(name, key) not in causes]
        for parent in by_source_key if left else ():
            causes |= _left_out(route, parent, name, left)
    return [_with_causes(one, causes) for one in orphans]


def _by_object(orphans: Sequence[Orphan]) -> dict[str, list[JSON]]:
    """The keys of the parents that are not there, each once, by the parent objects' names."""
    found: dict[str, dict[str, JSON]] = {}
    for one in orphans:
        for name, key in one.parents or ():
            found.setdefault(name, {})[json.dumps(key)] = key
    return {name: list(keys.values()) for name, keys in found.items()}


def _filling(child: Object, name: str) -> list[Object]:
    """The parent and whatever else fills its table; the parent alone where the key map knows its rows."""
    parent = next(one for one in child.parents.values() if one.name == name)
    place = (parent.target.name, parent.target.database)
    others = [one for one in parent.siblings if (one.target.name, one.target.database) == place]
    return [parent] if parent.is_mapped else [parent, *(one for one in others if one is not parent)]


def _rejected(
    store: BoundStore, parent: Object, name: str, keys: Sequence[JSON], *, by_source_key: bool
) -> dict[str, _Cause]:
    """Of those rejects that are known to be of the row which is named: by the key that they were to have.

    ``by_source_key``: what is named is the source's own key. Else a reject of that number may be anybody.
    """
    causes = {}
    for one in store.find_rejects(parent.name, keys):
        key = one.key if parent.is_mapped or one.target_key is None else one.target_key
        if key is one.key and not by_source_key:
            continue
        reason = f"{parent.name} {shown(decode(key) or ())} was rejected: {one.reason}"
        causes[_text(name, key)] = _Cause(reason=reason, parents=_lacked(one))
    return causes


def _lacked(row: RejectedRow) -> Sequence[JSON]:
    return row.parent if isinstance(row.parent, list) else ()


def _left_out(route: Route, parent: Object, name: str, keys: Sequence[JSON]) -> dict[str, _Cause]:
    """Of those whose key the parent's source has. Its rows keep their keys."""
    wanted = [decode(key) or () for key in keys if len(key) == len(parent.source_key)]
    if route.source_of is None or isinstance(parent.source, Rows) or not wanted:
        return {}
    why = "its function left it out, or it came since" if parent.function else "it came after the rows were read"
    try:
        with closing(route.source_of(parent)) as source:
            rows = source.find(wanted)
            key_of = picker([source.columns.index(column) for column in source.key])
    except (Fatal, PlanError):  # a key of the target that the source's can never be
        return {}
    found = [key_of(row) for row in rows]
    return {
        _text(name, canonical(key)): _Cause(reason=f"{parent.name} {shown(key)} is in the source: {why}")
        for key in found
    }


def _with_causes(one: Orphan, causes: dict[str, _Cause]) -> Orphan:
    known = [cause for name, key in one.parents or () if (cause := causes.get(_text(name, key))) is not None]
    if not known:
        return one
    parents = list(_each_once([*one.parents, *(lacked for cause in known for lacked in cause.parents)]))
    return replace(one, reason="; ".join([one.reason, *(cause.reason for cause in known)]), parents=parents)


def _each_once(parents: Sequence[JSON]) -> Iterator[JSON]:
    return iter({json.dumps(each): each for each in parents}.values())


def _text(name: str, key: JSON) -> str:
    return json.dumps([name, key])
