"""`milepost rejects retry`: data mended, the function mended, children that wait; counted and compared by plain SQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from run_command import arrived_rows, expected_rows, make_company, milepost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company that was migrated: customers 7 and 8 are rejected, and 16 invoices wait for them."""
    make_company(tmp_path)
    assert milepost(tmp_path, "run", "crm.py").status == 0
    return tmp_path


def at_source(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        for statement in statements:
            old.execute(statement)


def kept(folder: Path) -> list[tuple[Any, ...]]:
    """The rejects in the store: object, key, stage, each as often as it is there."""
    with closing(sqlite3.connect(folder / "new.db")) as new:
        return new.execute(
            "SELECT substr(path || '/', 1, instr(path || '/', '/') - 1), key, stage FROM milepost_reject ORDER BY 1, 2"
        ).fetchall()


def expected_rejects(folder: Path) -> list[tuple[Any, ...]]:
    """Said in SQL on the source: customers without an e-mail, and the invoices of these that are not filtered."""
    with closing(sqlite3.connect(folder / "old.db")) as old:
        return old.execute(
            "SELECT 'customer', '[' || no || ']', 'restructure' FROM customers WHERE email IS NULL UNION ALL"
            " SELECT 'invoice', '[' || i.no || ']', 'parent' FROM invoices i JOIN customers c ON c.no = customer_no"
            " WHERE email IS NULL AND total <> 0 ORDER BY 1, 2"
        ).fetchall()


def test_mended_rows_go_in_with_the_children_that_wait_for_them(folder: Path) -> None:
    assert (len(kept(folder)), kept(folder)) == (18, expected_rejects(folder))
    at_source(folder, "UPDATE customers SET email = 'seven@example.org' WHERE no = 7")

    done = milepost(folder, "rejects", "retry", "crm.py")

    assert done.status == 0, done.err
    assert arrived_rows(folder) == expected_rows(folder)
    assert kept(folder) == expected_rejects(folder)
    assert "tried again: 9 rows loaded, 9 rows rejected again" in done.err
    assert milepost(folder, "status", "crm.py", "--json").document["rejects"] == 9
    assert milepost(folder, "rejects", "crm.py", "--json").document["rejects"] == 9
    assert "nothing was left to do" in milepost(folder, "run", "crm.py").err


def test_a_mended_function_brings_in_what_waited_for_it(folder: Path) -> None:
    text = (folder / "crm.py").read_text()
    (folder / "crm.py").write_text(text.replace('raise Reject("email has no @")', 'row["email"] = "none@example.org"'))

    done = milepost(folder, "rejects", "retry", "crm.py", "--json")

    at_source(folder, "UPDATE customers SET email = 'none@example.org' WHERE email IS NULL")  # as the function has it
    assert done.status == 0
    assert done.documents[-1]["outcome"] == "complete"
    assert arrived_rows(folder) == expected_rows(folder)
    assert kept(folder) == []
    assert milepost(folder, "rejects", "crm.py").out.strip() == "crm: no rejects"


def test_of_one_object_only_what_waits_below_it_is_tried_too(folder: Path) -> None:
    at_source(folder, "UPDATE customers SET email = 'new@example.org' WHERE no IN (7, 8)")

    children = milepost(folder, "rejects", "retry", "crm.py", "--object", "invoice")
    assert (children.status, len(kept(folder))) == (0, 18)
    parents = milepost(folder, "rejects", "retry", "crm.py", "--object", "customer")
    assert (parents.status, kept(folder)) == (0, [])
    assert arrived_rows(folder) == expected_rows(folder)
    assert "no rejected rows to try again" in milepost(folder, "rejects", "retry", "crm.py").err


def test_what_is_still_bad_stays_with_its_new_reason(folder: Path) -> None:
    text = (folder / "crm.py").read_text()
    (folder / "crm.py").write_text(text.replace("email has no @", "still no e-mail"))

    milepost(folder, "rejects", "retry", "crm.py")

    told = milepost(folder, "rejects", "crm.py", "--json").document["groups"]
    assert [(each["object"], each["reason"], each["count"]) for each in told] == [
        ("invoice", "no customer with no …; customer … was rejected: still no e-mail", 16),
        ("customer", "still no e-mail", 2),
    ]


def test_an_object_that_is_none_and_a_job_that_never_ran_are_refused_with_status_two(tmp_path: Path) -> None:
    make_company(tmp_path)
    refused = milepost(tmp_path, "rejects", "retry", "crm.py")
    assert (refused.status, "moved nothing yet" in refused.err) == (2, True)
    milepost(tmp_path, "run", "crm.py")
    refused = milepost(tmp_path, "rejects", "retry", "crm.py", "--object", "custmer")
    assert (refused.status, "Did you mean customer?" in refused.err) == (2, True)
