"""Ids that a database makes are compared by what they stand for: other numbers are the same, other rows are not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from fix_databases import Database
from milepost.crashtest.compare import differences, rows_apart
from milepost.crashtest.content import Content, LeftOut, content_of
from milepost.crashtest.declared import Filled
from milepost.crashtest.numbered import Numbered, numbered_of
from milepost.crashtest.scratch import Place
from milepost.jobs.ledger import Counts, Entry
from milepost.jobs.state import Record, State
from milepost.wiring.open import open_store

TABLES = (
    "CREATE TABLE branch (id INTEGER PRIMARY KEY, country TEXT, no INTEGER, UNIQUE (country, no))",
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, legacy TEXT UNIQUE, branch_id INTEGER, guide_id INTEGER)",
    "CREATE TABLE line (customer_id INTEGER, no INTEGER, PRIMARY KEY (customer_id, no))",
    """CREATE TABLE payment (
        no INTEGER PRIMARY KEY, customer_id INTEGER, line_no INTEGER,
        FOREIGN KEY (customer_id, line_no) REFERENCES line)""",
    "CREATE TABLE note (id INTEGER, words TEXT, customer_id INTEGER, answers_id INTEGER)",
    "CREATE TABLE one (id INTEGER PRIMARY KEY, word TEXT, other_id INTEGER)",
    "CREATE TABLE other (id INTEGER PRIMARY KEY, one_id INTEGER)",
)
ROWS = {
    "branch": [(1, "DE", 7), (2, "FR", 7), (3, "FR", 8)],
    "customer": [(1, "a", 1, None), (2, "b", 1, 1), (3, "c", 3, 3), (4, "d", None, 2)],
    "line": [(1, 1), (1, 2), (2, 1)],
    "payment": [(10, 1, 2), (11, 2, 1), (12, None, None)],
    # four that say the same; only the key map tells them apart
    "note": [(1, "hm", 1, None), (2, "hm", 1, 1), (3, "hm", 2, 2), (4, "hm", 2, 2)],
}
MAPPED = {1: "n1", 2: "n2", 3: "n3", 4: "n4"}
OTHERS = {number: number * 10 + 5 for number in range(1, 5)} | {None: None}
FILLS = [
    Filled(name="branch", table="branch", place="there", key=("country", "no"), id="id", parents=()),
    Filled(
        name="customer", table="customer", place="there", key=("legacy",), id="id",
        parents=((("branch_id",), "branch"), (("guide_id",), "customer")),
    ),
    Filled(
        name="line", table="line", place="there", key=("customer_id", "no"), id=None,
        parents=((("customer_id",), "customer"),),
    ),
    Filled(
        name="note", table="note", place="there", key=(), id="id",
        parents=((("customer_id",), "customer"), (("answers_id",), "note")),
    ),
]  # fmt: skip


AS_THEY_ARE = {number: number for number in OTHERS}


@dataclass(frozen=True)
class Left:
    """What a round left in its database, which is its store too."""

    database: Database
    place: Place

    def content(self) -> tuple[Content, LeftOut]:
        left_out = LeftOut(numbered=numbered_of(self.place, "crm", FILLS))
        return content_of(self.place, "crm", left_out), left_out


Make = Callable[[dict[int | None, int | None]], Left]


@pytest.fixture(params=["sqlite", "postgres"])
def make_either(request, tmp_path) -> Make:
    """Both kinds of database."""
    return _maker(tmp_path, request.getfixturevalue("postgres_urls") if request.param == "postgres" else None)


@pytest.fixture
def make(tmp_path) -> Make:
    """SQLite alone, for what does not depend on it."""
    return _maker(tmp_path, None)


def _maker(tmp_path: Path, postgres_urls: Callable[[], str] | None) -> Make:
    def make(ids: dict[int | None, int | None]) -> Left:
        """The rows above, with those ids, in a database of their own."""
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        url = postgres_urls() if postgres_urls else f"sqlite:///{folder / 'all.db'}"
        database = Database(url)
        database.execute(*TABLES)
        numbers = {"branch": {0}, "customer": {0, 2, 3}, "line": {0}, "payment": {1}, "note": {0, 2, 3}}
        for table, rows in ROWS.items():
            given = [
                tuple(ids[value] if place in numbers[table] else value for place, value in enumerate(row))
                for row in rows
            ]
            database.insert(table, sorted(given, key=lambda row: str(row[-1])))
        _map(url, {ids[number]: key for number, key in MAPPED.items()})
        return Left(database, _place(folder, url))

    return make


def _place(folder: Path, url: str) -> Place:
    (folder / "folder").mkdir()
    return Place(
        name="round", root=folder, folder=folder / "folder", source=None, target=url, store=url,
        databases={"there": url}, written=(url,), servers={},
    )  # fmt: skip


def _map(url: str, keys: dict[int | None, str]) -> None:
    store = open_store(url, create=True)
    assert store is not None
    with closing(store):
        lease = store.acquire("crm", holder="test", ttl=60)
        store.put(lease, Record(path="note", state=State.STARTED, attempt=1))
        store.append(lease, Entry(path="note", seq=1, low=None, high=[9], counts=Counts(read=4, loaded=4)))
        store.map_keys(lease, "note", ("note", 1), [(f'["{key}"]', [number]) for number, key in keys.items()])
        store.put(lease, Record(path="note", state=State.COMPLETE, attempt=1))
        store.release(lease, outcome="complete")


def messages(wanted: Left, found: Left) -> list[str]:
    (one, left_out), (other, _) = wanted.content(), found.content()
    said = []
    for each in differences(one, other):
        said.append(each.message)
        if each.about in one.tables:
            said += rows_apart(each.about, (wanted.place, found.place), (one, other), left_out)
    return said


def test_the_same_rows_under_other_ids_are_the_same(make_either) -> None:
    assert messages(make_either(AS_THEY_ARE), make_either(OTHERS)) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE customer SET branch_id = 25 WHERE legacy = 'a'", "customer: 1 of 4 are missing or changed"),
        ("UPDATE customer SET branch_id = NULL WHERE legacy = 'a'", "customer: 1 of 4 are missing or changed"),
        ("UPDATE customer SET branch_id = 99 WHERE legacy = 'a'", "customer: 1 of 4 are missing or changed"),
        ("UPDATE customer SET branch_id = 15 WHERE legacy = 'd'", "customer: 1 of 4 are missing or changed"),
        ("UPDATE customer SET guide_id = 25 WHERE legacy = 'b'", "customer: 1 of 4 are missing or changed"),
        ("UPDATE customer SET guide_id = NULL WHERE legacy = 'c'", "customer: 1 of 4 are missing or changed"),
        ("UPDATE line SET customer_id = 35 WHERE customer_id = 15 AND no = 1", "line: 1 of 3 are missing or changed"),
        ("UPDATE payment SET customer_id = 25, line_no = 1 WHERE no = 10", "payment: 1 of 3 are missing or changed"),
        ("UPDATE payment SET customer_id = NULL WHERE no = 10", "payment: 1 of 3 are missing or changed"),
        ("DELETE FROM payment WHERE no = 10", "payment: 1 of 3 are lost"),
        ("DELETE FROM note WHERE id = 45", "note: 1 of 4 are lost"),
        ("INSERT INTO note VALUES (99, 'hm', 15, NULL)", "note: 1 are too many"),
        ("INSERT INTO note VALUES (15, 'hm', 15, NULL)", "note: "),
        ("UPDATE note SET id = 15 WHERE id = 25", "note: "),
        ("UPDATE note SET answers_id = 35 WHERE id = 45", "note: 1 of 4 are missing or changed"),
        ("UPDATE note SET customer_id = 25 WHERE id = 25", "note: 1 of 4 are missing or changed"),
        ("UPDATE note SET id = 99 WHERE id = 45", "note: 1 of 4 are missing or changed"),
    ],
)
def test_what_is_wrong_is_seen_whatever_the_ids(make, statement, said) -> None:
    wanted, found = make(AS_THEY_ARE), make(OTHERS)
    found.database.execute(statement)
    told = messages(wanted, found)
    assert any(message.startswith(said) for message in told), told


def test_a_row_that_points_to_the_wrong_parent_is_shown_with_the_parents_key(make_either) -> None:
    wanted, found = make_either(AS_THEY_ARE), make_either(OTHERS)
    found.database.execute("UPDATE payment SET customer_id = 25, line_no = 1 WHERE no = 10")
    told = [message.replace("'", "") for message in messages(wanted, found)]
    assert told[1:] == ["missing: 10, customer a, 2", "too many: 10, customer b, 1"]


def test_a_source_key_that_the_key_map_lacks_is_seen(make_either) -> None:
    wanted, found = make_either(AS_THEY_ARE), make_either(OTHERS)
    store = open_store(found.place.store, create=True)
    assert store is not None
    with closing(store):
        lease = store.acquire("crm", holder="test", ttl=60)
        store.unmap(lease, "note", ['["n2"]'])
        store.release(lease, outcome="complete")
    told = messages(wanted, found)
    assert "the key map of note: 1 of 4 are lost" in told
    assert any(message.startswith("note: ") for message in told)


def test_what_the_key_map_gives_to_each_others_rows_is_seen(make) -> None:
    wanted, found = make(AS_THEY_ARE), make(OTHERS)
    _map_again(found, {15: "n4", 45: "n1"})
    assert any(message.startswith("note: ") for message in messages(wanted, found))


def _map_again(left: Left, keys: dict[int, str]) -> None:
    store = open_store(left.place.store, create=True)
    assert store is not None
    with closing(store):
        lease = store.acquire("crm", holder="test", ttl=60)
        store.map_keys(lease, "note", ("note", 1), [(f'["{key}"]', [number]) for number, key in keys.items()])
        store.release(lease, outcome="complete")


@pytest.mark.parametrize("keys", [{"one": ("word",), "other": ("one_id",)}, {}], ids=["by keys", "by content"])
def test_rows_that_refer_to_each_other_in_a_circle_have_names_too(make_either, keys) -> None:
    pairs = (1, 2), (2, 1)
    places = []
    for ids in ({1: 1, 2: 2}, {1: 8, 2: 7}, {1: 8, 2: 7}):
        left = make_either(OTHERS)
        left.database.insert("one", [(ids[one], f"word {one}", ids[other]) for one, other in pairs])
        left.database.insert("other", [(ids[other], ids[one]) for one, other in pairs])
        places.append(left.place)
        if len(places) == 3:
            left.database.execute("UPDATE other SET one_id = 15 - one_id")  # each refers to the other one's
    numbered = Numbered(
        ids=frozenset({("one", "id"), ("other", "id")}),
        refers={("one", "other_id"): ("other", "id"), ("other", "one_id"): ("one", "id")},
        keys=keys,
    )
    contents = [content_of(place, "crm", LeftOut(numbered=numbered)) for place in places]
    wanted, same, wrong = ({name: each.tables[name] for name in ("one", "other")} for each in contents)
    assert wanted == same
    assert wanted != wrong
