"""Which row of the target a source row is where there is no key: by the key map, or a new id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.keys import canonical, decode
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
    drawn = iter(_draw(connection, checkpoint, route, len(texts) - len(known)))
    return [(*row, _id(known[text]) if text in known else next(drawn)) for row, text in zip(rows, texts, strict=True)]


def _draw(connection: object, checkpoint: Checkpoint, route: Route, count: int) -> list[Any]:
    """New ids, none of which is a row's that is gone at the moment: a table without rows may begin at 1 again."""
    each, drawn = route.object, list[Any]()
    paths = [one.name for one in each.siblings if one.is_mapped and one.target.name == each.target.name]
    while len(drawn) < count:
        ids = route.target.draw_ids(connection, str(each.target_id), count - len(drawn))
        targets = [canonical((value,)) for value in ids]
        found = [target for path in paths for _, target in checkpoint.store.mapped_from(path, targets)]
        taken = {json.dumps(target) for target in found}
        drawn += [value for value, target in zip(ids, targets, strict=True) if json.dumps(target) not in taken]
    return drawn


def _id(target: Any) -> Any:
    (value,) = decode(target) or (None,)
    return value
