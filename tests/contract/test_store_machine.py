"""Every store does at random what the model does."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from milepost.stores.memory import MemoryStore
from milepost.stores.postgres import PostgresStore
from milepost.stores.sqlite import SqliteStore
from milepost.testing import ManualClock
from milepost.testing.store_machine import machine

STEPS = settings(settings.default, stateful_step_count=15, derandomize=True)


@pytest.fixture
def quick_folder(tmp_path):
    """In memory where there is such a place: what is tried here is not durability."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


def test_a_sqlite_store_does_what_the_model_does(quick_folder):
    run_state_machine_as_test(
        machine(lambda: SqliteStore.create(quick_folder / "a.db")), settings=settings(STEPS, max_examples=100)
    )


def test_a_postgres_store_does_what_the_model_does(postgres_url):
    run_state_machine_as_test(
        machine(lambda: PostgresStore.create(postgres_url)), settings=settings(STEPS, max_examples=25)
    )


def test_the_comparison_finds_a_store_that_loses_a_write():
    class Forgetful(MemoryStore):
        def remember(self, lease, path, name, value):
            with self.transaction(lease):
                return value

    store = Forgetful(ManualClock())
    once = settings(STEPS, max_examples=100, print_blob=False, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(lambda: store), settings=once)
