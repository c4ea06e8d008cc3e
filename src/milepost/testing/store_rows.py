"""The part of the store contract about single rows: rejects by key, the key map, links. Needs pytest."""
# ruff: noqa: S101, PT012 — a suite asserts; what was written inside is what must be gone

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from milepost.errors import StoreError
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.store import Store
from milepost.testing.store_fixtures import JOB, PATHS, VALUES, Open, StoreFixtures, acquire, batch, reject, started
from milepost.testing.store_state import everything

MANY = 5000  # more than a statement of any database has parameters, where each value were one


def reasons(rows: Sequence[RejectedRow]) -> list[tuple[str, int, str]]:
    """Enough to tell rejects apart."""
    return [(row.path, row.seq, row.reason.removeprefix("reason ")) for row in rows]


class RejectsContract(StoreFixtures):
    """Rejects are found and forgotten by key and by batch, at a path and below it."""

    @pytest.fixture
    def refused(self, store: Store, lease: Lease) -> Lease:
        """Two batches of each path: keys 1 and 2, then 2 and 3; the target key is [key, "t"] but for key 3."""
        for path in PATHS:
            store.put(lease, started(path))
            for seq in (1, 2):
                rows = [replace(reject(number), target_key=[number, "t"]) for number in range(seq, 3)]
                rows += [reject(3)] if seq == 2 else []
                store.append(lease, batch(path, seq), rows)
        return lease

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_what_a_reject_was_to_be_and_whose_child_comes_back_as_it_was(
        self, store: Store, lease: Lease, value: Any
    ) -> None:
        store.put(lease, started("a"))
        parent = [["customer", [value]]]
        store.append(lease, batch("a", 1), [reject(7), replace(reject(8), target_key=[value], parent=parent)])
        plain, other = store.rejects(JOB)
        assert (plain.target_key, plain.parent) == (None, None)
        assert repr((other.target_key, other.parent)) == repr(([value], parent))
        assert store.find_rejects(JOB, "", [[value]]) == [other]

    def test_rejects_are_found_by_either_key_at_the_path_and_below(self, store: Store, refused: Lease) -> None:
        assert refused.epoch == 1
        found = store.find_rejects(JOB, "a", [[1], [3]])
        assert reasons(found) == [(path, *rest) for path in ("a", "a/b", "a/b/c") for rest in ((1, "1"), (2, "3"))]
        assert reasons(store.find_rejects(JOB, "a/b/c", [[2, "t"]])) == [("a/b/c", 1, "2"), ("a/b/c", 2, "2")]
        assert reasons(store.find_rejects(JOB, "a b", [[2], [2, "t"], [2]])) == [("a b", 1, "2"), ("a b", 2, "2")]
        assert len(store.find_rejects(JOB, "", [[1]])) == len(PATHS)
        assert [store.find_rejects(*asked) for asked in ((JOB, "a", []), (JOB, "a", [None]), ("no", "a", [[1]]))] == [
            [],
            [],
            [],
        ]

    def test_rejects_are_counted_at_the_path_and_below_and_those_of_batches_once(
        self, store: Store, refused: Lease
    ) -> None:
        assert refused.epoch == 1
        for path in ("", "a", "a/b", "a b", "nobody"):
            assert store.count_rejects(JOB, path) == len(list(store.rejects(JOB, path)))
        batches = [("a/b", 1), ("a", 2), ("a", 2), ("a0", 1), ("a", 7)]
        assert store.count_rejects(JOB, "a", batches) == sum(
            1 for one in store.rejects(JOB, "a") if (one.path, one.seq) in batches
        )
        assert [store.count_rejects(JOB, "a", []), store.count_rejects("no", "")] == [0, 0]

    def test_a_reject_that_is_found_is_the_one_that_is_told(self, store: Store, refused: Lease) -> None:
        assert refused.epoch == 1
        assert store.find_rejects(JOB, "z", [[number] for number in range(MANY)]) == list(store.rejects(JOB, "z"))

    def test_forgetting_takes_what_has_the_source_key_at_the_path_and_below_and_nothing_else(
        self, store: Store, refused: Lease
    ) -> None:
        before = reasons(list(store.rejects(JOB)))
        assert store.forget_rejects(refused, "a", keys=[[2, "t"]]) == 0
        assert reasons(list(store.rejects(JOB))) == before
        keys = [[number] for number in range(2, MANY)]
        assert store.forget_rejects(refused, "a", keys=keys) == 3 * 3
        left = [each for each in before if each[0] not in ("a", "a/b", "a/b/c") or each[2] == "1"]
        assert reasons(list(store.rejects(JOB))) == left

    def test_forgetting_takes_the_batches_that_are_named_and_counts_no_row_twice(
        self, store: Store, refused: Lease
    ) -> None:
        before = reasons(list(store.rejects(JOB)))
        batches = [("a/b", 1), ("a", 2), ("a0", 1), ("a", 7), *(("nobody", number) for number in range(MANY))]
        assert (
            store.forget_rejects(refused, "a", keys=[[1], [2]], batches=batches) == 3 * 3 + 1
        )  # of the last, keys have two
        left = [each for each in before if each[0] not in ("a", "a/b", "a/b/c") or (each[0] != "a" and each[2] == "3")]
        assert reasons(list(store.rejects(JOB))) == left
        assert store.forget_rejects(refused, "") == 0
        assert store.forget_rejects(refused, "", batches=[("a b", 1), ("z/\U0001f600", 2)]) == 2 + 2
        assert store.get(JOB, "a b") is not None
        assert [entry.seq for entry in store.ledger(JOB, "a")] == [1, 2]

    def test_other_jobs_keep_their_rejects(self, store: Store, refused: Lease) -> None:
        other = acquire(store, "other")
        store.put(other, started("a"))
        store.append(other, batch("a", 1), [reject(1)])
        store.forget_rejects(refused, "", keys=[[1]], batches=[("a", 1)])
        assert reasons(store.find_rejects("other", "a", [[1]])) == [("a", 1, "1")]

    def test_the_highest_modified_comes_back_with_its_batch(self, store: Store, lease: Lease) -> None:
        store.put(lease, started("a"))
        for seq, value in enumerate(VALUES, 1):
            store.append(lease, replace(batch("a", seq), modified=value))
        assert [repr(entry.modified) for entry in store.ledger(JOB, "a")] == [repr(value) for value in VALUES]


class KeyMapContract(StoreFixtures):
    """Which row of the target came of which source row."""

    def test_what_was_never_mapped_is_not_there(self, store: Store, lease: Lease) -> None:
        assert store.mapped(JOB, "a", ["[1]"]) == {}
        assert store.mapped_from(JOB, "a", [[1]]) == []
        assert store.mapped_by(JOB, "a", [("a", 1)]) == []
        store.unmap(lease, "a", ["[1]"])

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_a_target_comes_back_as_it_was(self, store: Store, lease: Lease, value: Any) -> None:
        store.map_keys(lease, "a", ("a", 1), [("[1]", [value])])
        assert repr(store.mapped(JOB, "a", ["[1]"])) == repr({"[1]": [value]})
        assert repr(store.mapped_from(JOB, "a", [[value]])) == repr([("[1]", [value])])
        assert repr(store.mapped_by(JOB, "a", [("a", 1)])) == repr([("[1]", [value])])

    def test_keys_that_differ_in_anything_are_different(self, store: Store, lease: Lease) -> None:
        keys = ["", " ", "a", "A", "a ", "\u00e9", "e\u0301", "'", '"', "\\", "%s", ":a", "{}", "null", "1", "1.0"]
        store.map_keys(lease, "a", ("a", 1), [(key, number) for number, key in enumerate(keys)])
        assert store.mapped(JOB, "a", keys) == {key: number for number, key in enumerate(keys)}
        assert store.mapped_from(JOB, "a", [4, 3]) == sorted((keys[number], number) for number in (3, 4))

    def test_the_last_target_of_a_key_stays_with_the_batch_that_gave_it(self, store: Store, lease: Lease) -> None:
        store.map_keys(lease, "a", ("a", 1), [("[1]", [1]), ("[2]", [2]), ("[3]", [3])])
        store.map_keys(lease, "a", ("a/again", 7), [("[2]", [20]), ("[2]", [21]), ("[3]", [3])])
        assert store.mapped(JOB, "a", ["[3]", "[2]", "[1]", "[4]", "[1]"]) == {"[1]": [1], "[2]": [21], "[3]": [3]}
        assert store.mapped_by(JOB, "a", [("a", 1)]) == [("[1]", [1])]
        assert store.mapped_by(JOB, "a", [("a/again", 7), ("a/again", 7)]) == [("[2]", [21]), ("[3]", [3])]
        assert store.mapped_from(JOB, "a", [[2], [20], [21]]) == [("[2]", [21])]

    def test_several_keys_may_have_the_same_target(self, store: Store, lease: Lease) -> None:
        store.map_keys(lease, "a", ("a", 1), [("b", [1]), ("a", [1]), ("c", [2])])
        assert store.mapped_from(JOB, "a", [[1]]) == [("a", [1]), ("b", [1])]
        store.unmap(lease, "a", ["a", "nothing"])
        assert store.mapped_from(JOB, "a", [[1]]) == [("b", [1])]

    def test_objects_and_jobs_have_maps_of_their_own(self, store: Store, lease: Lease) -> None:
        other = acquire(store, "other")
        store.map_keys(lease, "a", ("a", 1), [("k", 1)])
        store.map_keys(lease, "a/b", ("a", 1), [("k", 2)])
        store.map_keys(other, "a", ("a", 1), [("k", 3)])
        store.unmap(lease, "a", ["k"])
        assert [store.mapped(*of, ["k"]) for of in ((JOB, "a"), (JOB, "a/b"), ("other", "a"))] == [
            {},
            {"k": 2},
            {"k": 3},
        ]
        assert store.mapped_by("other", "a", [("a", 1)]) == [("k", 3)]

    def test_however_many_keys_there_are(self, store: Store, lease: Lease) -> None:
        keys = [f"[{number}]" for number in range(MANY)]
        store.map_keys(lease, "a", ("a", 1), [(key, [number]) for number, key in enumerate(keys)])
        assert store.mapped(JOB, "a", keys) == {key: [number] for number, key in enumerate(keys)}
        assert len(store.mapped_from(JOB, "a", [[number] for number in range(MANY)])) == MANY
        assert [key for key, _ in store.mapped_by(JOB, "a", [("a", n) for n in range(MANY)])] == sorted(keys)
        store.unmap(lease, "a", keys[1:])
        assert store.mapped(JOB, "a", keys) == {"[0]": [0]}

    def test_the_key_map_survives_a_rewind(self, store: Store, lease: Lease) -> None:
        store.put(lease, started("a"))
        store.map_keys(lease, "a", ("a", 1), [("k", [1])])
        for path in ("a", ""):
            store.rewind(lease, path)
            assert store.mapped(JOB, "a", ["k"]) == {"k": [1]}

    def test_what_batches_mapped_that_are_forgotten_belongs_to_none_that_comes(
        self, store: Store, lease: Lease
    ) -> None:
        batches = {
            "own": ("a", 1),
            "pass": ("a/b", 2),
            "marked": ("a", 0),
            "other's": ("c/deletes", 1),
            "like": ("ab", 1),
        }
        for path in ("a", "c"):
            for key, by in batches.items():
                store.map_keys(lease, path, by, [(key, [path])])
        store.rewind(lease, "a/b")
        assert store.mapped_by(JOB, "a", [("a", -1)]) == [("pass", ["a"])]
        store.rewind(lease, "a")
        assert store.mapped_by(JOB, "a", [("a", -1)]) == [("own", ["a"]), ("pass", ["a"])]
        assert store.mapped_by(JOB, "a", [("a", 1), ("a/b", 2)]) == []
        for key in ("marked", "other's", "like"):
            assert store.mapped_by(JOB, "a", [batches[key]]) == [(key, ["a"])]
        assert [store.mapped_by(JOB, "c", [by]) for by in batches.values()] == [[(key, ["c"])] for key in batches]
        store.rewind(lease, "")
        assert store.mapped_by(JOB, "c", [("c", -1)]) == [("other's", ["c"])]

    @pytest.mark.parametrize("name", ["a\x00b", "\ud800"], ids=ascii)
    def test_a_key_that_cannot_be_kept_is_refused_not_changed(self, store: Store, lease: Lease, name: str) -> None:
        before = everything(store)
        with pytest.raises(StoreError):
            store.map_keys(lease, "a", ("a", 1), [("k", 1), (name, 2)])
        with pytest.raises(StoreError):
            store.map_keys(lease, name, ("a", 1), [("k", 1)])
        with pytest.raises(StoreError):
            store.map_keys(lease, "a", ("a", 1), [("k", float("nan"))])
        with pytest.raises(StoreError):
            store.keep_links(lease, name, 1, [1])
        assert everything(store) == before
        assert store.mapped(JOB, "a", ["k"]) == {}

    def test_what_is_mapped_commits_with_the_rest_or_not_at_all(
        self, store: Store, lease: Lease, open_store: Open
    ) -> None:
        store.map_keys(lease, "a", ("a", 1), [("k", 1), ("j", 1)])
        store.keep_links(lease, "a", 1, [1])
        with pytest.raises(ZeroDivisionError), store.transaction(lease):
            store.map_keys(lease, "a", ("a", 2), [("k", 2)])
            store.unmap(lease, "a", ["j"])
            store.keep_links(lease, "a", 1, [2])
            assert (store.mapped(JOB, "a", ["k", "j"]), list(store.links(JOB, "a"))) == ({"k": 2}, [(1, 0, 2)])
            _ = 1 / 0
        with store.transaction(lease):
            store.map_keys(lease, "a", ("a", 2), [("i", 3)])
        again = open_store()
        assert again.mapped(JOB, "a", ["i", "j", "k"]) == {"i": 3, "j": 1, "k": 1}
        assert list(again.links(JOB, "a")) == [(1, 0, 1)]


class LinksContract(StoreFixtures):
    """What is to be set in rows later, batch by batch."""

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_a_link_comes_back_as_it_was(self, store: Store, lease: Lease, value: Any) -> None:
        store.keep_links(lease, "a", 1, [value, {"child": value}])
        assert repr(list(store.links(JOB, "a"))) == repr([(1, 0, value), (1, 1, {"child": value})])

    def test_links_come_in_order_from_any_place_on_however_many(self, store: Store, lease: Lease) -> None:
        for seq, many in ((3, 1), (1, 1500), (2, 1001)):
            store.keep_links(lease, "a", seq, [[seq, place] for place in range(many)])
        every = [(seq, place, [seq, place]) for seq, many in ((1, 1500), (2, 1001), (3, 1)) for place in range(many)]
        assert list(store.links(JOB, "a")) == every
        for after in ((1, 0), (1, 1499), (2, 500), (2, 2000), (3, 0), (0, 9)):
            assert list(store.links(JOB, "a", after)) == [each for each in every if each[:2] > after]

    def test_links_of_a_batch_take_the_place_of_those_it_had(self, store: Store, lease: Lease) -> None:
        for seq in (1, 2):
            store.keep_links(lease, "a", seq, ["old", "older", "oldest"])
        store.keep_links(lease, "a", 1, ["new"])
        assert list(store.links(JOB, "a")) == [(1, 0, "new"), (2, 0, "old"), (2, 1, "older"), (2, 2, "oldest")]
        store.keep_links(lease, "a", 2, [])
        assert list(store.links(JOB, "a")) == [(1, 0, "new")]

    def test_rewinding_forgets_the_links_of_the_path_and_all_below_it(self, store: Store, lease: Lease) -> None:
        other = acquire(store, "other")
        for path in PATHS:
            store.put(lease, started(path))
            store.keep_links(lease, path, 1, [path])
            store.keep_links(other, path, 1, ["other"])
        store.rewind(lease, "a")
        for path in PATHS:
            expected = [] if path in ("a", "a/b", "a/b/c") else [(1, 0, path)]
            assert list(store.links(JOB, path)) == expected
            assert list(store.links("other", path)) == [(1, 0, "other")]
