"""What every test stands on: a clean environment, fixtures, one way of drawing random cases."""

import os
from importlib.util import find_spec
from pathlib import Path

from hypothesis import HealthCheck, settings

pytest_plugins = sorted(file.stem for file in Path(__file__).parent.glob("fix_*.py"))

OURS = {
    "MILEPOST_POSTGRES",  # which server to use
    "MILEPOST_CRASH_ALL",  # have the crash tests try every point
    "MILEPOST_CRASH_ROUNDS",  # how often to repeat the tests that kill the examples
    "MILEPOST_CRASH_SEEDS",  # with which seeds
    "MILEPOST_STORE_CRASHES",  # how many runs of the state machine a PostgreSQL store is to survive
    "MILEPOST_PROXY_ROUNDS",  # how often to break the connections of a migration, for each kind and place
}

for name in list(os.environ):
    if name.startswith(("MILEPOST_", "PG")) and name not in OURS:
        del os.environ[name]

# A failure prints the blob that repeats it. In CI the cases are the same each time: a red run means a change.
settings.register_profile(
    "here", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_report_header() -> str:
    milepost = find_spec("milepost")
    return f"milepost: {milepost.origin if milepost else 'not installed'}"
