"""Which row of the target a source row is where there is no key: by the key map, or a new id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.keys import decode
from milepost.migration.route import Route
from milepost.migration.source import Row


def identify(
    connection: object, checkpoint: Checkpoint, route: Route, rows: list[Row], texts: Sequence[str]
) -> list[Row]:
    """The rows with their ids as the last column: as mapped before, else newly drawn. ``texts`` are their source keys.

    Inside the transaction in which the rows go in, so that what is drawn is mapped or was never given.
    """
    each = route.object
    assert each.target_id is not None  # noqa: S101 - without a key there is an id
    known = checkpoint.store.mapped(each.name, texts)
    new = len(texts) - len(known)
    drawn = iter(route.target.draw_ids(connection, each.target_id, new) if new else ())
    return [(*row, _id(known[text]) if text in known else next(drawn)) for row, text in zip(rows, texts, strict=True)]


def _id(target: Any) -> Any:
    (value,) = decode(target) or (None,)
    return value
