"""examples/flights, killed at random moments: what arrives is what an undisturbed run would have brought."""

import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import traced_milepost
from compare import differences
from fix_flights import EXAMPLE, EXPECTED_POSTGRES, EXPECTED_SQLITE, ORDER, SOURCE, open_both
from kill_rounds import ROUNDS, TracedFile, Trial, kill_and_resume, run_again_when_complete
from run_example import kept

pytestmark = pytest.mark.slow
BATCH_ROWS = 6000
BATCHES = 65  # 3 + 5 + 57


@pytest.mark.parametrize("round_", ROUNDS)
def test_flights_killed_twenty_times_arrive_in_sqlite_as_if_undisturbed(
    flights_legacy, flights_sqlite, tmp_path, round_
):
    trial = flights_trial(flights_legacy, f"sqlite:///{flights_sqlite}", tmp_path)

    kill_and_resume(trial, round_)

    with closing(open_both(flights_legacy, flights_sqlite)) as connection:
        for name in ORDER:
            actual = f"SELECT * FROM main.{name}"
            assert differences(connection, EXPECTED_SQLITE[name], actual) == {}, name
        every_row_was_read_once(connection, trial)
    run_again_when_complete(trial)


@pytest.mark.parametrize("round_", ROUNDS)
def test_flights_killed_twenty_times_arrive_in_postgresql_as_if_undisturbed(
    flights_legacy, flights_postgres, tmp_path, round_
):
    trial = flights_trial(flights_legacy, flights_postgres, tmp_path)

    kill_and_resume(trial, round_)

    with psycopg.connect(flights_postgres) as connection:
        for name in ORDER:
            actual = f"SELECT * FROM public.{name}"
            assert differences(connection, EXPECTED_POSTGRES[name], actual) == {}, name
        every_row_was_read_once(connection, trial)
    run_again_when_complete(trial)


def flights_trial(legacy: Path, target: str, folder: Path) -> Trial:
    """The example with small batches, so that there are many places to be killed at."""
    file = folder / "small_batches.py"
    file.write_text(
        f"import sys\nsys.path.insert(0, {str(EXAMPLE)!r})\n"
        f"from flights import flights\nflights.batch_rows = {BATCH_ROWS}\n"
    )
    log = folder / "statements"
    command = [sys.executable, traced_milepost.__file__, str(log), str(legacy), "run", str(file), "--json"]
    command += ["--source", f"sqlite:///{legacy}", "--target", target]
    return Trial("flights", command, target, SOURCE, BATCHES, TracedFile(log))


def every_row_was_read_once(connection, trial: Trial) -> None:
    """The rows that the ledger says were read are as many as the source has; each is loaded or a reject."""
    held = kept(trial.store, trial.job)
    for name, old in SOURCE.items():
        rows, loaded = connection.execute(
            f"SELECT (SELECT count(*) FROM legacy.{old}), (SELECT count(*) FROM {name})"
        ).fetchone()
        counts = held.counts(name)
        assert (counts.read, counts.loaded, counts.rejected) == (rows, loaded, rows - loaded), name
    assert len(held.rejects) == sum(held.counts(name).rejected for name in SOURCE)
