"""The crash matrix: small, rich jobs on every pair of databases, killed before and after whatever they do.

Every round must end as the undisturbed run did, with no more than a batch read again for a kill. A choice of rounds is
played here; `make crash` plays every one.
"""

from __future__ import annotations

import random

import pytest

from fix_totals import EVERY_POINT
from matrix import Case, count, every_kill, other_faults, prepared

TAGS = 12  # rows of the object that has a rollback

CASES = {
    "SQLite to SQLite": Case("shop/shop.py", "sqlite", "sqlite", rolled_back=TAGS),
    "SQLite to PostgreSQL": Case("shop/shop.py", "sqlite", "postgres", rolled_back=TAGS),
    "PostgreSQL to PostgreSQL": Case("shop/shop.py", "postgres", "postgres", rolled_back=TAGS),
    "PostgreSQL to SQLite": Case("shop/shop.py", "postgres", "sqlite", rolled_back=TAGS),
    "SQLite to SQLite, the store outside": Case("shop/shop_outside.py", "sqlite", "sqlite", "sqlite"),
    "SQLite to PostgreSQL, the store outside": Case("shop/shop_outside.py", "sqlite", "postgres", "sqlite"),
    "PostgreSQL to PostgreSQL, the store outside": Case("shop/shop_outside.py", "postgres", "postgres", "postgres"),
    "SQLite to functions of the user's own": Case("letters/letters.py", "sqlite", None, "sqlite"),
    "nested steps on SQLite": Case("nested/nested.py", None, None, "sqlite"),
    "nested steps on PostgreSQL": Case("nested/nested.py", None, None, "postgres"),
}


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_it_ends_as_undisturbed(name, tmp_path, keeper_urls, monkeypatch, totals) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    scene = prepared(CASES[name], tmp_path, keeper_urls)

    report = scene.prove(monkeypatch, every_kill(seed))

    assert count(report, scene, totals) == []
    assert report.kills >= len(report.rounds) - 1


@pytest.mark.parametrize("name", CASES if EVERY_POINT else ["SQLite to SQLite", "PostgreSQL to PostgreSQL"])
def test_disturbed_otherwise_anywhere_it_ends_as_undisturbed(name, tmp_path, keeper_urls, monkeypatch, totals) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    scene = prepared(CASES[name], tmp_path, keeper_urls)

    report = scene.prove(monkeypatch, other_faults(seed))

    assert count(report, scene, totals) == []
