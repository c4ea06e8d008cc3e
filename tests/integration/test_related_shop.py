"""A shop whose tables refer to each other, to themselves and in a circle, moved with generated ids in every pairing."""

from __future__ import annotations

from typing import Any

import pytest

from chinook_data import BROKEN, STAFF, all_rows, differences, fill, migration
from fix_databases import Pair
from milepost.errors import Fatal, PlanError
from milepost.jobs.ledger import Counts
from milepost.jobs.state import State
from milepost.wiring.open import open_store
from milepost.wiring.run import NO_URLS, plan, rewind, run

ORDER = ["artist album", "album track", "track playlist_track", "playlist playlist_track", "employee department"]


@pytest.fixture
def shop(pair: Pair) -> Pair:
    fill(pair)
    return pair


def look(pair: Pair) -> tuple[dict[str, Any], list[Any]]:
    """The checkpoints by path, and the rejects."""
    store = open_store(pair.target.url, create=False)
    assert store is not None
    try:
        return {record.path: record for record in store.checkpoints("shop")}, list(store.rejects("shop"))
    finally:
        store.close()


def test_everything_refers_to_what_it_referred_to_in_the_old_shop(shop) -> None:
    run(migration(shop))
    assert differences(shop) == {}
    done, rejects = look(shop)
    assert rejects == []
    assert {record.state for record in done.values()} == {State.COMPLETE}
    assert done["playlist_track"].counts == Counts(read=150, loaded=150)
    assert done["employee"].counts == Counts(read=41, loaded=41)
    assert done["employee/links"].counts == Counts(read=41, loaded=41)  # all have a manager or a department
    assert "department/links" not in done


def test_the_plan_says_which_columns_are_set_later_and_writes_nothing(shop) -> None:
    before = all_rows(shop)
    planned = {each.name: each for each in plan(migration(shop)).objects}
    names = list(planned)
    for parent, child in [
        ("artist", "album"),
        ("album", "track"),
        ("track", "playlist_track"),
        ("employee", "department"),
    ]:
        assert names.index(parent) < names.index(child)
    said = " ".join(planned["employee"].notes)
    assert "manager_id" in said
    assert "department_id" in said
    assert "set later" in said or "second pass" in said
    assert not any("head_id" in note for note in planned["department"].notes)
    assert all_rows(shop) == before
    assert open_store(shop.target.url, create=False) is None


def test_an_error_half_way_is_gone_on_from_and_all_comes_right(shop) -> None:
    BROKEN.add(33)
    with pytest.raises(Fatal, match="not today"):
        run(migration(shop))
    BROKEN.clear()
    half = all_rows(shop)
    assert len(half["employee"]) == 20  # two batches
    assert not half["department"]
    run(migration(shop))
    assert differences(shop) == {}
    assert {row[0] for row in half["employee"]} <= {row[0] for row in all_rows(shop)["employee"]}


def test_what_is_run_again_after_a_rewind_gives_the_same_rows_with_the_same_ids(shop) -> None:
    run(migration(shop))
    before = all_rows(shop)
    for path in ("employee", "employee/links", "playlist_track", "artist", ""):
        rewind(migration(shop), NO_URLS, path)
        run(migration(shop))
        assert all_rows(shop) == before, path
        assert {record.state for record in look(shop)[0].values()} == {State.COMPLETE}, path


def test_what_changed_in_the_old_shop_is_taken_over_when_it_is_run_again(shop) -> None:
    run(migration(shop))
    before = {row[1]: row[0] for row in all_rows(shop)["employee"]}
    shop.source.execute(
        "UPDATE staff SET reports_to = NULL WHERE no = 12",
        "UPDATE staff SET reports_to = 12, dept = NULL WHERE no = 50",
        "UPDATE staff SET dept = 'd9' WHERE no = 20",
        "INSERT INTO depts VALUES ('d9', 'New', 20)",
        "INSERT INTO staff VALUES (1, 'First', 50, 'd9')",
        "UPDATE depts SET head = NULL WHERE code = 'd0'",
        "UPDATE albums SET artist = 501",
        "UPDATE tracks SET album = NULL WHERE no > 3050",
    )
    rewind(migration(shop), NO_URLS, "")
    run(migration(shop))
    assert differences(shop) == {}
    assert before.items() <= {row[1]: row[0] for row in all_rows(shop)["employee"]}.items()


def test_somebody_who_reports_to_nobody_known_stays_and_is_told_of(shop) -> None:
    shop.source.execute("UPDATE staff SET reports_to = 999 WHERE no IN (13, 40)")
    run(migration(shop, max_rejects=2))
    shop.source.execute("UPDATE staff SET reports_to = NULL WHERE no IN (13, 40)")
    assert differences(shop) == {}
    done, rejects = look(shop)
    assert [(one.path, one.stage, one.key, one.parent) for one in rejects] == [
        ("employee/links", "parent", [13], [["employee", [999]]]),
        ("employee/links", "parent", [40], [["employee", [999]]]),
    ]
    assert rejects[0].reason.startswith("no employee with legacy_no 999")
    assert rejects[0].content["name"] == "Name 13"
    links = done["employee/links"].counts
    assert (links.read, links.rejected) == (41, 2)
    assert done["employee"].counts == Counts(read=41, loaded=41)


def test_more_such_links_than_are_allowed_end_the_run_and_mended_it_goes_on(shop) -> None:
    shop.source.execute("UPDATE staff SET reports_to = 999 WHERE no = 40")
    with pytest.raises(Fatal, match="999"):
        run(migration(shop))
    assert differences(shop).keys() == {"employee"}
    rewind(migration(shop), NO_URLS, "employee")
    shop.source.execute("UPDATE staff SET reports_to = 10 WHERE no = 40")
    run(migration(shop))
    assert differences(shop) == {}


def test_where_one_side_of_a_circle_must_be_filled_the_other_is_set_later(pair) -> None:
    fill(pair, department="NOT NULL")
    pair.source.execute("UPDATE staff SET dept = 'd1' WHERE dept IS NULL")
    run(migration(pair))
    assert differences(pair) == {}
    done, _ = look(pair)
    assert done["department/links"].counts == Counts(read=3, loaded=3)
    assert done["employee/links"].counts.loaded == sum(1 for row in STAFF if row[2] is not None)


def test_a_circle_that_nothing_can_open_is_refused_and_nothing_is_written(pair) -> None:
    fill(pair, department="NOT NULL")
    makes = "department (id INTEGER PRIMARY KEY, code VARCHAR(9) NOT NULL UNIQUE, name TEXT, head_id INTEGER NOT NULL)"
    cascade = "" if pair.target.url.startswith("sqlite") else " CASCADE"
    pair.target.execute(f"DROP TABLE department{cascade}", f"CREATE TABLE {makes}")
    if not pair.target.url.startswith("sqlite"):
        pair.target.execute("ALTER TABLE department ALTER id ADD GENERATED ALWAYS AS IDENTITY")
    with pytest.raises(PlanError) as error:
        run(migration(pair))
    assert "department_id" in str(error.value)
    assert "head_id" in str(error.value)
    assert open_store(pair.target.url, create=False) is None
