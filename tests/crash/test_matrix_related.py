"""The crash matrix of objects that refer to each other by generated ids, and of what is done after a migration.

A case is played on each of three pairings of databases by `make crash`; here, on one of them.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from fix_totals import EVERY_POINT
from matrix import Case, Prepared, count, every_kill, other_faults, prepared
from related_data import (
    customers_differ,
    damage,
    departments_differ,
    fill,
    live_on,
    mend,
    notes_differ,
    staff_differs,
)

AT_RANDOM = 5  # rounds of random kills for each case
AHEAD = 5  # a batch
PAIRINGS = {
    "SQLite to SQLite": ("sqlite", "sqlite"),
    "SQLite to PostgreSQL": ("sqlite", "postgres"),
    "PostgreSQL to PostgreSQL": ("postgres", "postgres"),
}


def case(file: str, **settings) -> Case:
    return Case(f"related/{file}.py", None, None, fill=fill, **settings)


CASES = {
    "generated ids": case("ids", differing=customers_differ),
    "the key map": case("mapped", differing=notes_differ),
    "their own kind": case("own_kind", differing=staff_differs),
    "a circle": case("circle", differing=departments_differ),
    "rejects again": case("living", differing=customers_differ, action="retry", afterwards=mend),
    "a recheck": case("living", differing=customers_differ, action="recheck", afterwards=live_on, ahead=AHEAD),
    "catching up": case("catch_up", differing=customers_differ, changes_source=True, ahead=AHEAD),
    "a repair": case("living", differing=customers_differ, action="repair", afterwards=damage),
}
OUTSIDE = ["generated ids", "a circle", "rejects again", "a recheck"]  # also with a store elsewhere
TOGETHER = [(name, pairing, False) for name in CASES for pairing in PAIRINGS]
EVERY = TOGETHER + [(name, pairing, True) for name in OUTSIDE for pairing in PAIRINGS]
ON_POSTGRES = {"the key map": "SQLite to PostgreSQL", "a recheck": "PostgreSQL to PostgreSQL"}
SOME = [(name, ON_POSTGRES.get(name, "SQLite to SQLite"), False) for name in CASES]
SOME += [("generated ids", "SQLite to PostgreSQL", True)]


def scene_of(name: str, pairing: str, tmp_path, make_postgres, monkeypatch, *, outside: bool = False) -> Prepared:
    source, target = PAIRINGS[pairing]
    store = source if outside else None
    scene = prepared(replace(CASES[name], source=source, target=target, store=store), tmp_path, make_postgres)
    monkeypatch.setenv("CRASHTEST_SOURCE", scene.urls.source or "")
    return scene


@pytest.mark.parametrize(
    ("name", "pairing", "outside"),
    EVERY if EVERY_POINT else SOME,
    ids=lambda value: {True: "the store outside", False: "together"}.get(value, value),
)
def test_killed_anywhere_it_ends_as_undisturbed(
    name, pairing, outside, tmp_path, keeper_urls, monkeypatch, totals
) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    scene = scene_of(name, pairing, tmp_path, keeper_urls, monkeypatch, outside=outside)

    report = scene.prove(monkeypatch, every_kill(seed, AT_RANDOM))

    assert count(report, scene, totals) == []
    assert report.kills >= len(report.rounds) - 1
    assert scene.differences() == {}


@pytest.mark.parametrize(("name", "pairing"), [each[:2] for each in TOGETHER[: None if EVERY_POINT else 1]])
def test_disturbed_otherwise_anywhere_it_ends_as_undisturbed(
    name, pairing, tmp_path, keeper_urls, monkeypatch, totals
) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    scene = scene_of(name, pairing, tmp_path, keeper_urls, monkeypatch)

    report = scene.prove(monkeypatch, other_faults(seed))

    assert count(report, scene, totals) == []
