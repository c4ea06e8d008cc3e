"""Update rows that are there, by way of the same temporary table that rows are loaded through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from milepost.connectors.sql.fit import Fitted
from milepost.connectors.sql.postgres.copy import NOT_WRITTEN
from milepost.connectors.sql.postgres.relation import Relation
from milepost.connectors.sql.postgres.stage import Moved, Stage, chosen_of
from milepost.migration.description import Column
from milepost.migration.target import Loaded, Loading, Refused

MISSING = "there is no row with this key to be updated"


class _Update(Stage):
    """A batch in its temporary table, on its way into rows of the target table."""

    def move_together(self, indexes: Sequence[int], out: Sequence[int]) -> Moved:
        found = self.execute(self.statements.update_and_tell(), chosen_of(indexes, out)).fetchall()
        self.check()
        [(written, missing, kept_out)] = found
        refused = [Refused(index=index, stage="load", reason=MISSING) for index in missing]
        refused += [Refused(index=index, stage="load", reason=NOT_WRITTEN) for index in kept_out]
        return Moved(written, len(indexes) - len(out) - len(refused) - written, tuple(refused))


def update_staged(
    connection: psycopg.Connection[Any],
    relation: Relation,
    columns: tuple[Column, ...],
    fitted: Fitted,
    loading: Loading,
) -> Loaded:
    """Stage the rows, and update those that are there and really differ; refuse those that are not there."""
    return _Update(connection, relation, columns, replace(loading, fresh=False)).load(fitted)  # nothing is inserted
