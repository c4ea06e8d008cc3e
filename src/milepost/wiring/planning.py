"""What a run would do with each object, for people. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from milepost.databases.url import scheme
from milepost.migration.fresh import fresh_of
from milepost.migration.object import Object
from milepost.migration.plan import EXACTLY_ONCE, REPLAYED, SENT_AGAIN, SETTLED, ObjectPlan
from milepost.migration.route import Route
from milepost.migration.sight import unseen_of
from milepost.migration.table import Rows, Sink
from milepost.wiring.ends import connect_read_only
from milepost.wiring.known import Known
from milepost.wiring.places import Places


def plan_object(
    each: Object, route: Route | None, places: Places, known: Known, told: str | None, before: Sequence[Object] = ()
) -> ObjectPlan:
    """``route`` is None for what is complete; ``told`` is what is to be told of it besides.

    ``before`` are the objects that are moved before it.
    """
    pin, record = known.pinned(each), known.record(each.name)
    rows = pin.rows if pin is not None else None
    if pin is None and route is not None:
        rows = route.source.count(route.source.highest())
    fresh = fresh_of(known.remembered(each), each)
    if fresh is None:
        fresh = route is None or (_is_empty(each, route, places) and not _is_filled_by(before, each, places))
    return ObjectPlan(
        name=each.name,
        source=each.source.name,
        target=each.target.name,
        parents=tuple(parent.name for parent in each.parents.values()),
        rows=rows,
        loading=_loading(each, places, fresh=fresh),
        promise=_promise(each, places),
        state=record.state,
        done=record.counts,
        notes=(
            *(_notes(each, route, fresh=fresh) if route else ()),
            *_shares(each, before, places),
            *([told] if told else []),
        ),
    )


def _is_empty(each: Object, route: Route, places: Places) -> bool:
    url = places.target_of(each)
    if url is None:
        return True
    with closing(connect_read_only(url)) as connection:
        return route.target.is_empty(connection)


def _is_filled_by(before: Sequence[Object], each: Object, places: Places) -> bool:
    """Whether another object of the migration has put its rows into the same table by then."""
    return bool(_others(before, each, places))


def _others(before: Sequence[Object], each: Object, places: Places) -> list[Object]:
    place = (places.target_of(each), each.target.name)
    return [one for one in before if place[0] is not None and place == (places.target_of(one), one.target.name)]


def _shares(each: Object, before: Sequence[Object], places: Places) -> Iterator[str]:
    """Rows of two objects with one key are one row, and nobody can tell afterwards whose it is to be."""
    others = [] if each.is_mapped else [one for one in _others(before, each, places) if not one.is_mapped]
    if others:
        names = " and ".join(one.name for one in others)
        yield (
            f"{names} {'fills' if len(others) == 1 else 'fill'} {each.target.name} too: a row of {each.name} that has a"
            f" key of theirs takes its place, until a recheck loads theirs again; milepost verify says that one of them"
            " differs"
        )


def _loading(each: Object, places: Places, *, fresh: bool) -> str:
    url = places.target_of(each)
    if url is None:
        return "sent"
    return "staged" if not fresh or each.on_duplicate == "last" else "direct"


def _promise(each: Object, places: Places) -> str:
    url, key = places.target_of(each), ", ".join(each.target_key)
    if url is None:
        return SENT_AGAIN.format(name=each.target.name, key=key)
    if not places.is_outside(each):
        return EXACTLY_ONCE
    return SETTLED if scheme(url) == "postgresql" else REPLAYED.format(key=key)


def _notes(each: Object, route: Route, *, fresh: bool) -> Iterator[str]:
    if not fresh and not isinstance(each.target, Sink):  # nobody knows what a Sink was sent
        yield _met_by_rows(each)
    for columns in sorted(route.later):
        yield (
            f"{', '.join(columns)} is left NULL at first and set in a second pass, {each.name}/links, when the rows of"
            f" {each.parents[columns].name} are all there"
        )
    if each.is_mapped:
        yield f"{each.target.name} has no key: the store keeps which source row has which {each.target_id}"
    if route.deletes == "apply" and route.keeps_keys:
        yield "rows that are gone at the source are deleted, children first; the store keeps which row came of which"
    if cannot := unseen_of(each):
        yield cannot
    if isinstance(each.source, Rows):
        yield "the number of rows is not known beforehand"
    if each.wants_checkpoint:
        yield "its function takes the checkpoint and is not tried beforehand: what it fills is seen when it runs"
    if each.on_duplicate == "last":
        yield "of rows with the same key the last one is kept"


def _met_by_rows(each: Object) -> str:
    if each.is_mapped:
        return f"{each.target.name} holds rows, or will: those that are not of this object are left as they are"
    key = ", ".join(each.target_key)
    return f"{each.target.name} holds rows, or will: rows are upserted on ({key}), the later of two with one key last"
