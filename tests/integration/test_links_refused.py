"""A link keeps what its row referred to when it was loaded: what helps, and what does not, where that was wrong."""

from __future__ import annotations

import pytest

from fix_databases import Pair
from milepost.errors import Fatal
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.retry import retry
from milepost.wiring.run import NO_URLS, rewind, run


@pytest.fixture
def staff(pair: Pair) -> Pair:
    """Two employees; the boss of the second one is nobody."""
    pair.source.execute("CREATE TABLE staff (no integer PRIMARY KEY, boss integer)")
    pair.source.insert("staff", [(1, None), (2, 9)])
    pair.target.execute("CREATE TABLE employee (no integer PRIMARY KEY, boss integer REFERENCES employee (no))")
    return pair


def crm(staff: Pair, max_rejects: int = 0) -> Migration:
    crm = Migration("crm", source=staff.source.url, target=staff.target.url, max_rejects=max_rejects)
    source, target = Table("staff", key="no"), Table("employee", key="no")
    crm.object("employee", source=source, target=target, parents={"boss": "self"})
    return crm


def employees(staff: Pair) -> list[tuple[int, int | None]]:
    return staff.target.rows("SELECT no, boss FROM employee ORDER BY no")


def refused(staff: Pair) -> str:
    with pytest.raises(Fatal, match="employee/links: batch 1 was not committed, since 1 rows are rejected") as caught:
        run(crm(staff))
    return caught.value.hint or ""


def test_too_many_rejected_links_name_the_rewind_that_helps(staff: Pair) -> None:
    assert "milepost rewind FILE employee," in refused(staff)
    staff.source.execute("UPDATE staff SET boss = 1 WHERE no = 2")
    refused(staff)  # the same command alone does not help

    rewind(crm(staff), NO_URLS, "employee")
    run(crm(staff))

    assert employees(staff) == [(1, None), (2, 1)]


def test_too_many_rejected_links_name_the_retry_that_helps(staff: Pair) -> None:
    assert "milepost rejects retry FILE --object employee" in refused(staff)
    staff.source.execute("UPDATE staff SET boss = 1 WHERE no = 2")
    run(crm(staff, max_rejects=1))
    assert employees(staff) == [(1, None), (2, None)]

    retry(crm(staff, max_rejects=1), only="employee")

    assert employees(staff) == [(1, None), (2, 1)]


def test_links_that_are_set_are_there_to_be_set_again_after_a_rewind_of_their_pass(staff: Pair) -> None:
    staff.source.execute("UPDATE staff SET boss = 1 WHERE no = 2")
    run(crm(staff))
    staff.target.execute("UPDATE employee SET boss = NULL")

    rewind(crm(staff), NO_URLS, "employee/links")
    run(crm(staff))

    assert employees(staff) == [(1, None), (2, 1)]
