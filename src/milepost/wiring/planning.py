"""What a run would do with each object, for people. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from milepost.databases.url import scheme
from milepost.migration.fresh import fresh_of
from milepost.migration.object import Object
from milepost.migration.plan import EXACTLY_ONCE, REPLAYED, SENT_AGAIN, SETTLED, ObjectPlan
from milepost.migration.route import Route
from milepost.migration.table import Rows, Sink
from milepost.wiring.ends import connect_read_only
from milepost.wiring.known import Known
from milepost.wiring.places import Places


def plan_object(each: Object, route: Route | None, places: Places, known: Known, told: str | None) -> ObjectPlan:
    """``route`` is None for what is complete; ``told`` is what is to be told of it besides."""
    pin, record = known.pinned(each), known.record(each.name)
    rows = pin.rows if pin is not None else None
    if pin is None and route is not None:
        rows = route.source.count(route.source.highest())
    fresh = fresh_of(known.remembered(each), each)
    if fresh is None:
        fresh = route is None or _is_empty(each, route, places)
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
        notes=(*(_notes(each, fresh=fresh) if route else ()), *([told] if told else [])),
    )


def _is_empty(each: Object, route: Route, places: Places) -> bool:
    url = places.target_of(each)
    if url is None:
        return True
    with closing(connect_read_only(url)) as connection:
        return route.target.is_empty(connection)


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


def _notes(each: Object, *, fresh: bool) -> Iterator[str]:
    if not fresh and not isinstance(each.target, Sink):  # nobody knows what a Sink was sent
        key = ", ".join(each.target_key)
        yield f"{each.target.name} holds rows already: rows are upserted on ({key}), the later of two with one key last"
    if isinstance(each.source, Rows):
        yield "the number of rows is not known beforehand"
    if each.wants_checkpoint:
        yield "its function takes the checkpoint and is not tried beforehand: what it fills is seen when it runs"
    if each.on_duplicate == "last":
        yield "of rows with the same key the last one is kept"
