"""A migration that is declared otherwise the next time: what may go on does, the rest is refused or told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from milepost.errors import DefinitionChanged, Fatal, PlanError, Reject
from milepost.jobs.event import Event, Told
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.retry import retry
from milepost.wiring.run import Urls, plan, rewind, run


@pytest.fixture
def numbers(sqlite_pair):
    sqlite_pair.source.execute("CREATE TABLE n (id INTEGER PRIMARY KEY, code TEXT UNIQUE NOT NULL)")
    sqlite_pair.source.insert("n", [(i, f"c{20 - i:02}") for i in range(1, 11)])
    sqlite_pair.target.execute("CREATE TABLE n (id INTEGER PRIMARY KEY, code TEXT)")
    return sqlite_pair


def ids(pair) -> list[int]:
    return [number for (number,) in pair.target.rows("SELECT id FROM n ORDER BY id")]


def a_copy(pair, *, stop_at: int | None = None, place: Table | None = None, **settings: Any) -> Migration:
    move = Migration("move", source=pair.source.url, target=pair.target.url, **{"batch_rows": 2} | settings)

    @move.object(source=place or Table("n", key="id"), target=Table("n", key="id"))
    def n(row):
        if row["id"] == STOP_AT:
            raise Reject("stop here")
        return row

    global STOP_AT  # noqa: PLW0603 - the function's text must stay the same, its outcome not
    STOP_AT = stop_at
    return move


def half_done(pair) -> None:
    with pytest.raises(Fatal):
        run(a_copy(pair, stop_at=6))
    assert ids(pair) == [1, 2, 3, 4]


def test_what_has_moved_nothing_is_not_half_done_and_may_be_mended(numbers) -> None:
    with pytest.raises(Fatal):
        run(a_copy(numbers, stop_at=1, place=Table("n", key="id", where="id = 1")))
    run(a_copy(numbers, place=Table("n", key="id", where="id <= 9")))
    assert ids(numbers) == list(range(1, 10))


def test_an_object_that_waits_is_pinned_anew_when_it_is_mended(numbers) -> None:
    numbers.target.execute("CREATE TABLE later (id INTEGER PRIMARY KEY, code TEXT)")

    def both(where: str, **settings: Any) -> Migration:
        move = a_copy(numbers, **settings)
        move.object("later", source=Table("n", key="id", where=where), target=Table("later", key="id"))
        return move

    with pytest.raises(Fatal):
        run(both("id > 5000", stop_at=6))
    run(both("id > 0"))
    assert numbers.target.rows("SELECT count(*) FROM later") == [(10,)]


def test_another_database_in_the_middle_is_refused(numbers, tmp_path) -> None:
    half_done(numbers)
    with pytest.raises(DefinitionChanged, match="n is half done"):
        run(a_copy(numbers), urls=Urls(source=numbers.target.url))
    run(a_copy(numbers))
    assert ids(numbers) == list(range(1, 11))


def test_another_key_in_the_middle_is_refused_even_when_changes_are_accepted(numbers) -> None:
    half_done(numbers)
    by_code = a_copy(numbers, place=Table("n", key="code"))
    with pytest.raises(DefinitionChanged, match="order of another key"):
        run(by_code, accept_changed=frozenset({"n"}))
    assert ids(numbers) == [1, 2, 3, 4]
    rewind(by_code, Urls(), "n")
    run(by_code)
    assert ids(numbers) == list(range(1, 11))


def test_an_accepted_change_of_the_columns_goes_on_with_the_new_ones(numbers) -> None:
    numbers.target.execute("ALTER TABLE n ADD COLUMN size INTEGER")
    half_done(numbers)
    move = Migration("move", source=numbers.source.url, target=numbers.target.url, batch_rows=2)

    @move.object(source=Table("n", key="id"), target=Table("n", key="id"))
    def n(row):
        return {"id": row["id"], "code": row["code"], "size": 1}

    run(move, accept_changed=frozenset({"n"}))
    assert numbers.target.rows("SELECT count(*), count(size) FROM n") == [(10, 6)]


def test_a_changed_definition_of_a_complete_object_is_told(numbers) -> None:
    run(a_copy(numbers))
    changed = a_copy(numbers, place=Table("n", key="id", where="id < 5"))
    said: list[Event] = []
    run(changed, emit=said.append)
    assert any(
        "complete and was moved under another definition" in each.message for each in said if isinstance(each, Told)
    )
    assert any("where" in note for note in plan(changed).objects[0].notes)


def test_a_function_with_a_memory_is_called_once_for_each_row(numbers) -> None:
    seen: set[str] = set()
    move = Migration("move", source=numbers.source.url, target=numbers.target.url)

    @move.object(source=Table("n", key="id"), target=Table("n", key="id"))
    def n(row):
        if row["code"] in seen:
            return None
        seen.add(row["code"])
        return row

    run(move)
    assert ids(numbers) == list(range(1, 11))


def test_a_second_parameter_with_a_default_is_the_functions_own(numbers) -> None:
    move = Migration("move", source=numbers.source.url, target=numbers.target.url)

    @move.object(source=Table("n", key="id"), target=Table("n", key="id"))
    def n(row, suffix="!"):
        return {"id": row["id"], "code": suffix}

    run(move)
    assert numbers.target.rows("SELECT DISTINCT code FROM n") == [("!",)]


def test_a_source_that_lost_rows_since_the_start_is_told_of(numbers) -> None:
    half_done(numbers)
    numbers.source.execute("DELETE FROM n WHERE id = 9")
    said: list[Event] = []
    run(a_copy(numbers), emit=said.append)
    assert [each.message for each in said if isinstance(each, Told)] == [
        "9 rows were read where 10 were counted at the start: the source has changed"
    ]


def test_an_object_that_loads_nothing_is_told_of(numbers) -> None:
    said: list[Event] = []
    move = Migration("move", source=numbers.source.url, target=numbers.target.url)

    @move.object(source=Table("n", key="id"), target=Table("n", key="id"))
    def n(row):
        return None

    run(move, emit=said.append)
    assert [each.message for each in said if isinstance(each, Told)] == [
        "of 10 rows read none was loaded: 10 filtered, 0 rejected"
    ]


def test_the_target_file_is_whole_by_itself_when_the_run_has_ended(numbers) -> None:
    run(a_copy(numbers))
    assert not Path(numbers.target.url.removeprefix("sqlite:///") + "-wal").exists()


def test_a_step_after_something_that_is_no_object_is_refused(numbers) -> None:
    move = a_copy(numbers)
    with pytest.raises(PlanError, match="no object of it"):
        move.step(after=a_copy(numbers).objects[0])


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_could_not_be_a_path_is_refused(numbers, name) -> None:
    with pytest.raises(PlanError, match="cannot be the name"):
        a_copy(numbers).object(name, source=Table("n", key="id"), target=Table("n", key="id"))


def test_many_objects_do_not_take_a_connection_each(postgres_urls, postgres_server) -> None:
    import psycopg

    source, target = postgres_urls(), postgres_urls()
    for url in (source, target):
        with psycopg.connect(url) as connection:
            for number in range(30):
                connection.execute(f"CREATE TABLE t{number} (id integer PRIMARY KEY)")
                if url == source:
                    connection.execute(f"INSERT INTO t{number} VALUES (1)")
    move = Migration("move", source=source, target=target)
    for number in range(30):
        move.object(f"t{number}", source=Table(f"t{number}", key="id"), target=Table(f"t{number}", key="id"))
    most: list[int] = []

    @move.step(after=move.objects[0])
    def count():
        with psycopg.connect(postgres_server.keeper_url("postgres")) as keeper:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'milepost%'"
            most.append(keeper.execute(query).fetchone()[0])

    run(move)
    assert most
    assert most[0] <= 4


@pytest.mark.parametrize(
    ("limit", "said"),
    [(0, None), (1, "The 1 row rejected before stays rejected"), (2, "The 2 rows rejected before stay rejected")],
)
def test_the_ways_out_of_a_half_done_object_say_that_its_rejects_stay(numbers, limit: int, said: str | None) -> None:
    def version(code: str) -> Migration:
        """Refuses 4, 5 and 6, each in its own batch, so that as many are committed as the limit allows."""
        move = Migration("move", source=numbers.source.url, target=numbers.target.url, batch_rows=1, max_rejects=limit)

        def n(row):
            if row["id"] in {4, 5, 6}:
                raise Reject("no")
            return row

        def otherwise(row):
            return row | {"code": "x"}

        otherwise.__name__ = "n"
        move.object(source=Table("n", key="id"), target=Table("n", key="id"))(n if code == "n" else otherwise)
        return move

    with pytest.raises(Fatal, match="was not committed") as too_many:
        run(version("n"))
    with pytest.raises(DefinitionChanged, match="half done") as changed:
        run(version("otherwise"))

    for stopped in (too_many, changed):
        hint = stopped.value.hint or ""
        if said is None:
            assert "rejected" not in hint
        else:
            assert said in hint
            assert "tried again (milepost rejects retry FILE --object n)." in hint
    run(version("otherwise"), accept_changed=frozenset({"n"}))
    assert ids(numbers) == [each for each in range(1, 11) if not 4 <= each < 4 + limit]
    retry(version("otherwise"), only="n")
    assert ids(numbers) == list(range(1, 11))
