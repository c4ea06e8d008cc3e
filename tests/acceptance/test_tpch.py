"""examples/tpch at scale 0.1: three quarters of a million rows, equal to the source by SQL alone."""

import psycopg
import pytest

from compare import differences, postgres_content
from fix_tpch import ORDER, TPCH
from milepost.jobs.ledger import Counts
from run_example import kept, run

pytestmark = pytest.mark.slow
ROWS = {"customer": 15_000, "orders": 150_000, "lineitem": 600_572}


def test_tpch_from_postgresql_to_postgresql_is_equal_to_the_row(tpch_postgres, tpch_target):
    outcome = run(TPCH, source=tpch_postgres, target=tpch_target)

    assert outcome.status == 0, outcome.shown
    the_target_equals_what_was_generated(tpch_target)


def test_tpch_from_sqlite_to_postgresql_is_equal_to_the_row(tpch_sqlite, tpch_target):
    outcome = run(TPCH, source=f"sqlite:///{tpch_sqlite}", target=tpch_target)

    assert outcome.status == 0, outcome.shown
    the_target_equals_what_was_generated(tpch_target)


def the_target_equals_what_was_generated(target: str) -> None:
    held = kept(target, "tpch")
    with psycopg.connect(target) as connection:
        for name, order in ORDER.items():
            expected, actual = f"SELECT * FROM legacy.{name}", f"SELECT * FROM public.{name}"
            assert differences(connection, expected, actual) == {}, name
            content = postgres_content(connection, actual, order)
            assert content == postgres_content(connection, expected, order), name
            assert content.rows == ROWS[name]
            assert held.counts(name) == Counts(read=content.rows, loaded=content.rows), name
