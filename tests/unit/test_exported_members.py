"""The public names: what is exported is a promise, and importing it is quick."""

import subprocess
import sys
from types import ModuleType

import pytest

import milepost

PROMISED = {
    "Checkpoint",
    "DefinitionChanged",
    "Fatal",
    "Interrupted",
    "Job",
    "LeaseHeld",
    "LeaseLost",
    "Migration",
    "MilepostError",
    "PlanError",
    "Query",
    "Reject",
    "Rejected",
    "Retryable",
    "Rows",
    "Sink",
    "StoreError",
    "Table",
}
HEAVY = {"asyncio", "click", "multiprocessing", "psycopg", "rich", "sqlite3"}


def test_exactly_the_promised_names_are_exported():
    assert set(milepost.__all__) == PROMISED


def test_nothing_else_looks_public():
    members = {name: value for name, value in vars(milepost).items() if not name.startswith("_")}
    assert {name for name, value in members.items() if not isinstance(value, ModuleType)} == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_public_name_says_what_it_is(name):
    assert (vars(getattr(milepost, name)).get("__doc__") or "").strip()


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_public_error_can_be_caught_as_one(name):
    public = getattr(milepost, name)
    if issubclass(public, Exception):
        assert issubclass(public, milepost.MilepostError)


def test_a_step_that_catches_every_exception_does_not_catch_the_stop():
    assert not issubclass(milepost.Interrupted, Exception)


def loaded_by(*command: str) -> set[str]:
    """The modules that a fresh Python loads for a command, by their first name."""
    shown = subprocess.run([sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True)
    lines = [line for line in shown.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_importing_milepost_loads_no_driver_and_no_screen():
    loaded = loaded_by("-c", "import milepost")
    assert "milepost" in loaded
    assert not loaded & HEAVY


def test_asking_for_help_loads_no_driver_and_no_screen():
    loaded = loaded_by("-m", "milepost", "--help")
    assert "click" in loaded
    assert not loaded & (HEAVY - {"click"})
