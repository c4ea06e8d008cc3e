"""A store outside the target's database, and rows that are hard to find again by their key."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from fix_databases import Database
from milepost.jobs.ledger import Counts
from milepost.jobs.retry import Patience
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.ends import open_source
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers
from milepost.wiring.run import run

KEYS = [
    ("text", lambda no: UUID(int=no)),
    ("text", lambda no: Decimal(no) / 8),
    ("text", time),
    ("text", lambda no: date(2020, 1, no)),
    ("bigint", lambda no: Decimal(no).scaleb(1).normalize()),
    ("integer", float),
    ("integer", lambda no: no == 1 or no),
]


class Dies(BaseException):
    """As if the process were killed here."""


@pytest.fixture(params=["sqlite", "postgres"])
def target(request, tmp_path) -> Database:
    if request.param == "postgres":
        return Database(request.getfixturevalue("postgres_urls")())
    return Database(f"sqlite:///{tmp_path / 'target.db'}")


@pytest.fixture
def crm(tmp_path, target) -> Migration:
    source = Database(f"sqlite:///{tmp_path / 'source.db'}")
    source.execute("CREATE TABLE old (no integer PRIMARY KEY)")
    source.insert("old", [(number,) for number in range(1, 21)])
    store = f"sqlite:///{tmp_path / 'store.db'}"
    return Migration("crm", source=source.url, target=target.url, store=store, batch_rows=5, max_rejects=99)


@pytest.mark.parametrize(("native", "key"), KEYS)
def test_the_last_row_of_a_batch_is_looked_for_as_its_column_has_it(crm, target, tmp_path, native, key) -> None:
    target.execute(f"CREATE TABLE new (k {native} PRIMARY KEY, no integer)")

    @crm.object(source=Table("old", key="no"), target=Table("new", key="k"))
    def new(row: dict[str, Any]) -> dict[str, Any]:
        return {"k": key(row["no"]), "no": row["no"]}

    run(crm, patience=Patience(tries=1))
    assert target.rows("SELECT no FROM new ORDER BY no") == [(number,) for number in range(1, 21)]
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}", create=False)
    assert store.recall("crm", "new").get("witness") is not None
    store.close()


def test_rows_like_those_that_were_refused_as_duplicates_are_no_sign_of_a_store_put_back(crm, target, tmp_path) -> None:
    target.execute("CREATE TABLE named (name text PRIMARY KEY)")

    @crm.object(source=Table("old", key="no"), target=Table("named", key="name"))
    def named(row: dict[str, Any]) -> dict[str, Any]:
        return {"name": f"name {row['no'] % 6}"}

    def dying(*given: Any) -> Any:
        source = open_source(*given)
        read = source.read

        def few(*bounds: Any) -> Any:
            for number, rows in enumerate(read(*bounds)):
                if number == 2:
                    raise Dies
                yield rows

        source.read = few
        return source

    with pytest.raises(Dies):
        run(crm, openers=Openers(source=dying))
    run(crm, patience=Patience(tries=1))

    assert target.rows("SELECT count(*) FROM named") == [(6,)]
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}", create=False)
    assert store.get("crm", "named").counts == Counts(read=20, loaded=6, rejected=14)
    store.close()
