"""What every test stands on: a clean environment, fixtures, one way of drawing random cases."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["fix_postgres"]

OURS = {"MILEPOST_POSTGRES"}  # tells the tests which server to use

for name in list(os.environ):
    if name.startswith(("MILEPOST_", "PG")) and name not in OURS:
        del os.environ[name]

# A failure prints the blob that repeats it. In CI the cases are the same each time: a red run means a change.
settings.register_profile(
    "here", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
