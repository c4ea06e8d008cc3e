"""Every store does at random what the model does, while the process that holds it is killed again and again."""

import os
import shutil
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from hypothesis import Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from store_hasty import Hasty, Torn

from milepost.clock import SystemClock
from milepost.stores.postgres import PostgresStore
from milepost.stores.sqlite import SqliteStore
from milepost.testing.store_crashes import crash_machine
from milepost.testing.store_life import Lives

PARTS, RUNS = 10, 100
POSTGRES_RUNS = int(os.environ.get("MILEPOST_STORE_CRASHES", "25"))
STEPS = settings(settings.default, stateful_step_count=6)
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def quick_folder(tmp_path):
    """In memory where there is such a place: a killed process loses nothing that it gave to the system."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_sqlite_store_survives_crashes_in_a_thousand_runs(quick_folder, part):
    with closing(Lives(partial(SqliteStore.create, quick_folder / "a.db"), driver="sqlite3")) as lives:
        machine = crash_machine(lives)
        if STEPS.derandomize:  # or each part would be the same
            machine = seed(part)(machine)
        run_state_machine_as_test(machine, settings=settings(STEPS, max_examples=RUNS))
    was_killed_on_both_sides_of_commits(machine)


def test_a_postgres_store_survives_crashes_in_many_runs(postgres_url):
    clock = SystemClock()
    with (
        closing(Lives(partial(PostgresStore.create, postgres_url), driver="psycopg")) as lives,
        psycopg.connect(postgres_url, autocommit=True) as looking,
    ):

        def settle() -> None:
            """A server may commit for a client that is dead already."""
            while looking.execute(SESSIONS).fetchone() != (0,):
                clock.sleep(0.005)

        machine = crash_machine(lives, settle)
        run_state_machine_as_test(machine, settings=settings(STEPS, max_examples=POSTGRES_RUNS))
    was_killed_on_both_sides_of_commits(machine)


def was_killed_on_both_sides_of_commits(machine):
    print(machine.found)
    assert machine.found["before"] > 0
    assert machine.found["after"] > 0


# longer runs, so that a broken store is soon found, and always the same ones
ONCE = settings(
    STEPS, stateful_step_count=15, max_examples=1000, derandomize=True, print_blob=False, phases=[Phase.generate]
)


def test_crashes_find_a_store_that_acknowledges_before_it_commits(quick_folder):
    assert is_found(partial(Hasty, quick_folder / "a.db"))


def test_crashes_find_a_store_whose_write_takes_two_commits(quick_folder):
    assert is_found(partial(Torn.create, quick_folder / "a.db"))


def is_found(open_store):
    with closing(Lives(open_store, driver="sqlite3")) as lives:
        try:
            run_state_machine_as_test(crash_machine(lives), settings=ONCE)
        except (AssertionError, Flaky) as error:
            print(error)
            return True
    return False
