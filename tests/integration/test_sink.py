"""Rows sent by the user's own function: what it is given, what is in doubt after a death, and what it may ask."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from fix_databases import Database
from milepost import Migration, PlanError, Retryable, Sink, Table
from milepost.jobs.ledger import Counts
from milepost.jobs.retry import Patience
from milepost.migration import plan as promises
from milepost.migration.sink import SinkTarget
from milepost.migration.target import Loading
from milepost.wiring.open import open_store
from milepost.wiring.run import plan, run, store_url

ROWS = [(number, f"name {number}", number % 4) for number in range(1, 9)]


class Dies(BaseException):
    """As if the process were killed here."""


class Office:
    """Somebody else's system: it takes letters by upsert, and remembers under which number each batch came."""

    def __init__(self) -> None:
        self.letters: dict[int, dict[str, Any]] = {}
        self.numbers: set[str] = set()
        self.calls: list[tuple[list[int], bool, Any]] = []
        self.dies_at: tuple[int, str] | None = None

    def write(self, rows, cp):
        self.calls.append(([row["no"] for row in rows], cp.in_doubt, cp.token))
        if cp.in_doubt and cp.token in self.numbers:
            return
        number = f"batch {rows[0]['no']}"
        cp.settle_by(number)
        self._die("before")
        self.numbers.add(number)
        self.letters |= {row["no"]: dict(row) for row in rows}
        self._die("after")

    def _die(self, moment: str) -> None:
        if self.dies_at == (len(self.calls), moment):
            raise Dies


@pytest.fixture
def office():
    return Office()


@pytest.fixture
def letters(tmp_path, office):
    source = Database(f"sqlite:///{tmp_path / 'source.db'}")
    source.execute("CREATE TABLE letter (no integer PRIMARY KEY, name text, kind integer)")
    source.insert("letter", ROWS)
    return Letters(source, tmp_path, office)


class Letters:
    def __init__(self, source: Database, folder, office: Office) -> None:
        self.source, self.office = source, office
        self.store = f"sqlite:///{folder / 'store.db'}"

    def migration(self, **settings: Any) -> Migration:
        crm = Migration("post", source=self.source.url, store=self.store, batch_rows=3, max_rejects=9)
        write = self.office.write

        def send(rows, cp):
            write(rows, cp)

        crm.object("letter", source=Table("letter", key="no"), target=Sink(send, key="no"), **settings)
        return crm

    def run(self, **settings: Any) -> None:
        run(self.migration(**settings), patience=Patience(tries=1))

    def counts(self) -> Counts:
        with closing(open_store(self.store, create=False)) as store:
            return store.get("post", "letter").counts

    def rejects(self) -> list[tuple[str, Any]]:
        with closing(open_store(self.store, create=False)) as store:
            return [(one.stage, one.key) for one in store.rejects("post")]


def test_batches_are_sent_as_dicts_in_the_order_of_the_source(letters, office) -> None:
    letters.run()
    assert office.calls == [([1, 2, 3], False, None), ([4, 5, 6], False, None), ([7, 8], False, None)]
    assert list(office.letters.values()) == [{"no": no, "name": name, "kind": kind} for no, name, kind in ROWS]
    assert letters.counts() == Counts(read=8, loaded=8)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_the_batch_at_hand_at_a_death_and_no_other_comes_again_with_its_token(letters, office, at, moment) -> None:
    office.dies_at = (at, moment)
    with pytest.raises(Dies):
        letters.run()
    letters.run()
    batches = [[1, 2, 3], [4, 5, 6], [7, 8]]
    doubtful = (batches[at - 1], True, f"batch {batches[at - 1][0]}")
    assert office.calls == [*((each, False, None) for each in batches[:at]), doubtful] + [
        (each, False, None) for each in batches[at:]
    ]
    assert sorted(office.letters) == list(range(1, 9))
    assert letters.counts() == Counts(read=8, loaded=8)


def test_a_batch_sent_again_has_the_bounds_it_had_whatever_batches_are_now(letters, office) -> None:
    office.dies_at = (2, "before")
    with pytest.raises(Dies):
        letters.run()
    wider = letters.migration()
    wider.batch_rows = 100
    run(wider)
    assert [call[0] for call in office.calls] == [[1, 2, 3], [4, 5, 6], [4, 5, 6], [7, 8]]


def test_a_batch_that_the_function_could_not_send_is_tried_again_as_one_in_doubt(letters, office) -> None:
    write, tries = office.write, []

    def failing(rows, cp):
        write(rows, cp)
        tries.append(cp.in_doubt)
        if len(tries) in (2, 3):
            raise Retryable("the line is busy")

    office.write = failing
    run(letters.migration(), patience=Patience(first=0.01))
    assert tries == [False, False, True, True, False]
    assert sorted(office.letters) == list(range(1, 9))


def test_of_two_rows_with_one_key_in_a_batch_the_later_is_refused_or_wins(letters, office) -> None:
    letters.source.execute(
        "UPDATE letter SET kind = 5 WHERE no IN (1, 3)", "UPDATE letter SET kind = NULL WHERE no = 5"
    )
    sent: list[list[int]] = []

    def kinds(**settings: Any) -> Migration:
        crm = Migration(f"kinds{settings}", source=letters.source.url, store=letters.store, batch_rows=3, max_rejects=9)
        crm.object(
            "kind",
            source=Table("letter", key="no"),
            target=Sink(lambda rows, cp: sent.append([row["no"] for row in rows]), key="kind"),
            **settings,
        )
        return crm

    run(kinds())
    assert sent == [[1, 2], [4, 6], [7, 8]]
    sent.clear()
    run(kinds(on_duplicate="last"))
    assert sent == [[2, 3], [4, 6], [7, 8]]


def test_rows_refused_the_first_time_stay_refused_and_the_function_is_not_asked_again(letters, office) -> None:
    asked: list[int] = []

    def migration() -> Migration:
        crm = Migration("post", source=letters.source.url, store=letters.store, batch_rows=4, max_rejects=9)

        @crm.object(source=Table("letter", key="no"), target=Sink(office.write, key="no"))
        def letter(row):
            asked.append(row["no"])
            if row["no"] == 2:
                raise ValueError("torn")
            return None if row["no"] == 3 else row

        return crm

    office.dies_at = (1, "before")
    with pytest.raises(Dies):
        run(migration())
    asked.clear()
    run(migration())
    assert [call[0] for call in office.calls] == [[1, 4], [1, 4], [5, 6, 7, 8]]
    assert letters.rejects() == [("restructure", [2])]
    assert letters.counts() == Counts(read=8, loaded=6, filtered=1, rejected=1)


def test_a_batch_of_which_nothing_is_left_to_send_is_never_in_doubt(letters, office) -> None:
    crm = Migration("post", source=letters.source.url, store=letters.store, batch_rows=3)

    @crm.object(source=Table("letter", key="no"), target=Sink(office.write, key="no"))
    def letter(row):
        return row if row["no"] > 6 else None

    run(crm)
    assert [call[0] for call in office.calls] == [[7, 8]]
    assert letters.counts() == Counts(read=8, loaded=2, filtered=6)


def test_what_the_source_holds_now_is_sent_where_it_changed_within_the_range_in_doubt(letters, office) -> None:
    office.dies_at = (2, "before")
    with pytest.raises(Dies):
        letters.run()
    letters.source.execute("DELETE FROM letter WHERE no IN (5, 6)", "UPDATE letter SET name = 'new' WHERE no = 4")
    letters.run()
    assert [call[0] for call in office.calls] == [[1, 2, 3], [4, 5, 6], [4], [7, 8]]
    assert office.letters[4]["name"] == "new"
    assert letters.counts() == Counts(read=6, loaded=6)


def test_a_range_in_doubt_of_which_the_source_has_nothing_left_is_passed_over(letters, office) -> None:
    office.dies_at = (2, "before")
    with pytest.raises(Dies):
        letters.run()
    letters.source.execute("DELETE FROM letter WHERE no BETWEEN 4 AND 6")
    letters.run()
    assert [call[0] for call in office.calls] == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert letters.counts() == Counts(read=5, loaded=5)


def test_the_store_of_what_is_only_sent_is_beside_the_file_and_the_plan_says_what_is_promised(letters) -> None:
    crm = letters.migration()
    crm.store = None
    assert store_url(crm) == f"sqlite:///{__file__.rpartition('/')[0]}/post.milepost.db"
    [each] = plan(letters.migration()).objects
    assert (each.loading, each.target, each.rows) == ("sent", "send", 8)
    assert each.promise == promises.SENT_AGAIN.format(name="send", key="no")


def test_parents_of_what_is_sent_cannot_be_looked_up(letters) -> None:
    crm = letters.migration()
    crm.object(
        "reply",
        source=Table("letter", key="no"),
        target=Sink(print, key="no"),
        columns={"no": "no", "letter": "no"},
        parents={"letter": crm.objects[0]},
    )
    with pytest.raises(PlanError, match="reply has the parent letter, and what went into a Sink cannot be looked up"):
        plan(crm)


def test_a_key_that_the_rows_do_not_hold_is_found_by_the_plan(letters) -> None:
    with pytest.raises(PlanError, match="its rows hold no no, which is its key"):
        plan(letters.migration(columns={"number": "no"}))


def test_a_changed_function_that_sends_is_a_changed_object(letters, office) -> None:
    office.dies_at = (2, "before")
    with pytest.raises(Dies):
        letters.run()

    def send(rows, cp):
        return office.write(rows, cp)

    crm = letters.migration()
    object.__setattr__(crm.objects[0].target, "write", send)
    with pytest.raises(PlanError, match="letter is half done, and is not declared as it was"):
        run(crm)
    run(crm, accept_changed=frozenset({"letter"}))
    assert sorted(office.letters) == list(range(1, 9))


def test_the_plan_of_a_started_sink_does_not_claim_to_know_what_it_holds(letters, office) -> None:
    office.dies_at = (2, "before")
    with pytest.raises(Dies):
        letters.run()
    [each] = plan(letters.migration()).objects
    assert each.done.read == 3
    assert not any("holds rows" in note for note in each.notes)


@pytest.mark.parametrize(
    "ask",
    [
        lambda target: target.find([], "t", ("id",), ("id",), [(1,)]),
        lambda target: target.referring([], ("id",), [(1,)]),
        lambda target: target.draw_ids([], "id", 1),
        lambda target: target.update([], [], Loading(columns=("id",), key=("id",), fresh=False)),
        lambda target: target.delete([], [(1,)]),
        lambda target: target.comparing(("id",), ("id",)),
    ],
)
def test_what_only_a_table_can_do_is_refused_in_plain_words(ask) -> None:
    with pytest.raises(PlanError, match="write is a Sink: nobody but its function knows what was sent, so no"):
        ask(SinkTarget(Sink(Office().write, key="no")))
