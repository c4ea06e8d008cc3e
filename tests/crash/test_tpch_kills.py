"""examples/tpch into PostgreSQL, killed at random moments; the source's own log tells what was read."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

import traced_milepost
from compare import differences
from fix_tpch import EXAMPLE, ORDER
from kill_rounds import ROUNDS, TracedFile, Trial, Watched, kill_and_resume, reads_rows, run_again_when_complete
from run_example import MILEPOST, kept

pytestmark = pytest.mark.slow
BATCH_ROWS = 12000
BATCHES = 66  # 2 + 13 + 51
STATEMENT = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)


@pytest.mark.parametrize("round_", ROUNDS)
def test_tpch_killed_twenty_times_arrives_from_postgresql_as_if_undisturbed(
    tpch_postgres, tpch_target, server_log, tmp_path, round_
):
    command = [str(MILEPOST), "run", small_batches(tmp_path), "--json", "--source", tpch_postgres]
    killed_it_arrives(command, tpch_target, server_log, round_)


@pytest.mark.parametrize("round_", ROUNDS)
def test_tpch_killed_twenty_times_arrives_from_sqlite_as_if_undisturbed(tpch_sqlite, tpch_target, tmp_path, round_):
    log = tmp_path / "statements"
    command = [sys.executable, traced_milepost.__file__, str(log), str(tpch_sqlite), "run", small_batches(tmp_path)]
    command += ["--json", "--source", f"sqlite:///{tpch_sqlite}"]
    killed_it_arrives(command, tpch_target, TracedFile(log), round_)


def small_batches(folder: Path) -> str:
    """The example with small batches, so that there are many places to be killed at."""
    file = folder / "small_batches.py"
    file.write_text(
        f"import sys\nsys.path.insert(0, {str(EXAMPLE)!r})\nfrom tpch import tpch\ntpch.batch_rows = {BATCH_ROWS}\n"
    )
    return str(file)


def killed_it_arrives(command: list[str], target: str, source: Watched, round_: int) -> None:
    """Kill it twenty times; then the target must hold what was generated, and nothing be left to do."""
    trial = Trial("tpch", [*command, "--target", target], target, {name: name for name in ORDER}, BATCHES, source)

    kill_and_resume(trial, round_)

    held = kept(target, "tpch")
    with psycopg.connect(target) as connection:
        for name in ORDER:
            assert differences(connection, f"SELECT * FROM legacy.{name}", f"SELECT * FROM public.{name}") == {}, name
            rows = connection.execute(
                f"SELECT (SELECT count(*) FROM legacy.{name}), (SELECT count(*) FROM public.{name})"
            ).fetchone()
            assert (held.counts(name).read, held.counts(name).loaded) == rows, name
    run_again_when_complete(trial)


class ServerLog:
    """What the source's server wrote down of the statements that the source database was sent."""

    def __init__(self, keeper: "psycopg.Connection[Any]", log: Path) -> None:
        self.keeper = keeper
        self.log = log
        self.offset = self._size()

    def readings(self, table: str) -> list[str]:
        return [one for one in self.touching(table) if " ORDER BY " in one and " DESC" not in one]

    def touching(self, table: str) -> list[str]:
        (content,) = self.keeper.execute(
            "SELECT pg_read_binary_file(%s, %s, %s)", [str(self.log), self.offset, self._size() - self.offset]
        ).fetchone()
        return [one for one in STATEMENT.split(content.decode()) if reads_rows(one, rf'("public"\.)?"{table}"')]

    def begins_after(self, reading: str, key: Sequence[Any]) -> bool:
        literals = ", ".join(f"'{value}'::[a-z]+" for value in key)
        return re.search(rf" > \({literals}\)", reading) is not None

    def forget(self) -> None:
        self.offset = self._size()

    def _size(self) -> int:
        return self.keeper.execute("SELECT size FROM pg_stat_file(%s)", [str(self.log)]).fetchone()[0]


@pytest.fixture
def server_log(postgres_server, tpch_postgres) -> Iterator[ServerLog]:
    """The log of the server, to which every statement in the source database is written while the test runs."""
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute("ALTER DATABASE tpch_source SET log_statement = 'all'")
        (data,) = keeper.execute("SHOW data_directory").fetchone()
        yield ServerLog(keeper, Path(data).parent / "log")
        keeper.execute("ALTER DATABASE tpch_source RESET log_statement")
