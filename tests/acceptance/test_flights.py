"""examples/flights on the real data: 336,776 flights, to the row, against SQL that knows nothing of Milepost."""

from collections import Counter
from contextlib import closing

import psycopg
import pytest

from compare import differences, postgres_content, sqlite_content
from fix_flights import EXPECTED_POSTGRES, EXPECTED_SQLITE, FLIGHTS, ORDER, REASONS, SOURCE, open_both
from milepost.jobs.ledger import Counts
from run_example import Kept, kept, run

pytestmark = pytest.mark.slow


def test_the_data_are_the_ones_that_were_published(flights_legacy, flights_sqlite):
    with closing(open_both(flights_legacy, flights_sqlite)) as connection:
        reasons = dict(connection.execute(f"SELECT reason, count(*) FROM ({REASONS}) GROUP BY reason"))
        no_tail = connection.execute("SELECT count(*) FROM legacy.flights WHERE tailnum = 'NA'").fetchone()

    assert reasons == {None: 280_481, "plane": 50_094, "airport": 6_201}
    assert no_tail == (2_512,)


def test_flights_arrive_in_sqlite_to_the_row(flights_legacy, flights_sqlite):
    target = f"sqlite:///{flights_sqlite}"

    outcome = run(FLIGHTS, source=f"sqlite:///{flights_legacy}", target=target)

    assert outcome.status == 0, outcome.shown
    with closing(open_both(flights_legacy, flights_sqlite)) as connection:
        for name, order in ORDER.items():
            actual = f"SELECT * FROM main.{name}"
            assert differences(connection, EXPECTED_SQLITE[name], actual) == {}, name
            assert sqlite_content(connection, actual, order) == sqlite_content(
                connection, EXPECTED_SQLITE[name], order
            ), name
        counts_add_up(connection, kept(target, "flights"))
        rejects_are_those_of_the_sql(connection, kept(target, "flights"))
        nobody_guessed_a_plane(connection, "main.flight", "legacy.flights")


def test_flights_arrive_in_postgresql_to_the_row(flights_legacy, flights_postgres):
    outcome = run(FLIGHTS, source=f"sqlite:///{flights_legacy}", target=flights_postgres)

    assert outcome.status == 0, outcome.shown
    with psycopg.connect(flights_postgres) as connection:
        for name, order in ORDER.items():
            actual = f"SELECT * FROM public.{name}"
            assert differences(connection, EXPECTED_POSTGRES[name], actual) == {}, name
            assert postgres_content(connection, actual, order) == postgres_content(
                connection, EXPECTED_POSTGRES[name], order
            ), name
        counts_add_up(connection, kept(flights_postgres, "flights"))
        rejects_are_those_of_the_sql(connection, kept(flights_postgres, "flights"))
        nobody_guessed_a_plane(connection, "public.flight", "legacy.flights")


def counts_add_up(connection, held: Kept) -> None:
    """read = loaded + unchanged + filtered + rejected, and each is what SQL counts in the old and the new tables."""
    for name, old in SOURCE.items():
        read = connection.execute(f"SELECT count(*) FROM legacy.{old}").fetchone()[0]
        loaded = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        assert held.counts(name) == Counts(read=read, loaded=loaded, rejected=read - loaded), name


def rejects_are_those_of_the_sql(connection, held: Kept) -> None:
    """Each rejected flight by its key, with the parent that it lacks; and the one weather without a temperature."""
    expected = {
        (time_hour, carrier, number): (reason, missing)
        for reason, time_hour, carrier, number, missing in connection.execute(f"""
            SELECT reason, time_hour, carrier, flight, CASE reason WHEN 'plane' THEN tailnum ELSE dest END
            FROM ({REASONS}) AS f WHERE reason IS NOT NULL""")
    }
    rejected = [reject for reject in held.rejects if reject.path == "flight"]
    assert len(rejected) == len(expected) == 56_295
    assert {tuple(reject.key) for reject in rejected} == expected.keys()
    for reject in rejected:
        parent, missing = expected[tuple(reject.key)]
        assert reject.stage == "parent"
        assert f"no {parent} " in reject.reason, reject.reason
        assert missing in reject.reason, reject.reason
        assert reject.content["dest" if parent == "airport" else "tailnum"] == missing
    assert held.reasons("weather") == Counter({("restructure", "no temperature was measured"): 1})
    assert len(held.rejects) == len(rejected) + 1


def nobody_guessed_a_plane(connection, new: str, old: str) -> None:
    """A tail number is NULL in the new table where it was empty in the old one, and nowhere else."""
    nulls = connection.execute(f"SELECT count(*) FROM {new} WHERE tailnum IS NULL").fetchone()
    empty = connection.execute(
        f"SELECT count(*) FROM {old} WHERE tailnum IN ('NA', '') AND dest IN (SELECT faa FROM legacy.airports)"
    ).fetchone()
    assert nulls == empty
    assert nulls[0] > 0
