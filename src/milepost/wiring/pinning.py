"""Fix, when a migration starts, where each of its objects ends."""

from __future__ import annotations

from collections.abc import Mapping

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import State
from milepost.migration.definition import definition
from milepost.migration.order import Ordered
from milepost.migration.pin import Pin, freeze, name_of, reads_otherwise, recorded
from milepost.migration.route import Route
from milepost.wiring.known import Known
from milepost.wiring.places import Places


def pin_all(
    checkpoint: Checkpoint, ordered: Ordered, routes: Mapping[str, Route], known: Known, places: Places
) -> dict[str, Pin]:
    """The pin of every object still to move: as recorded, else frozen now and recorded.

    Children are frozen before their parents: a source that lives on may then have parents that no child needs, but
    no child without its parent.
    """
    values, pins = checkpoint.recall(), {}
    for each in reversed([each for each in ordered.objects if each.name in routes]):
        before = recorded(values, each)
        pins[each.name] = _pin(routes[each.name], before, known, places.read_from(each))
        if pins[each.name] != before:
            checkpoint.replace(name_of(each.name), pins[each.name].as_json())
    return pins


def _pin(route: Route, pin: Pin | None, known: Known, database: str | None) -> Pin:
    """The pin as recorded; frozen anew where the object has not begun, or was changed to read other rows."""
    each = route.object
    now = definition(each, database, route.later)
    if pin is not None and pin.definition == now:
        return pin
    if pin is None or known.progress(each) is State.PENDING or reads_otherwise(pin, now):
        try:
            return freeze(each, route.source, database, route.later)
        finally:
            route.source.close()
    return Pin(definition=now, end=pin.end, rows=pin.rows)
