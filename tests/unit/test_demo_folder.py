"""The demo makes its own folder anew and touches nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost.demo import run_demo
from milepost.demo.folder import claim, leave, remove_databases
from milepost.errors import PlanError


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    with claim(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_holds_something_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "legacy.db").write_text("mine")
    with pytest.raises(PlanError, match="was not made by the demo"):
        run_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["legacy.db"]
    assert (tmp_path / "legacy.db").read_text() == "mine"


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PlanError, match="is a file"):
        run_demo(tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PlanError, match="cannot be written"):
        run_demo(tmp_path / "file" / "below")


def test_too_few_rows_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="too few"):
        run_demo(tmp_path / "demo", rows=10)
    assert not (tmp_path / "demo").exists()


def test_a_folder_of_ours_is_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with claim(tmp_path):
            (tmp_path / "legacy.db").write_text("old")
    assert (tmp_path / "legacy.db").read_text() == "old"  # taken, not emptied: that is the demo's to do


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with claim(tmp_path), pytest.raises(PlanError, match="another demo is running"), claim(tmp_path):
        pass


def test_only_our_own_databases_are_removed(tmp_path: Path) -> None:
    for name in ("legacy.db", "new.db", "new.db-wal", "mine.db", "notes.txt"):
        (tmp_path / name).write_text("x")
    remove_databases(tmp_path, "new.db")
    assert {path.name for path in tmp_path.iterdir()} == {"legacy.db", "mine.db", "notes.txt"}
    remove_databases(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.db", "notes.txt"}


def test_a_file_that_somebody_changed_is_kept(tmp_path: Path) -> None:
    with claim(tmp_path):
        assert leave(tmp_path, "company.py", "first") is None
        assert leave(tmp_path, "company.py", "second") is None
        for number in (1, 2):
            (tmp_path / "company.py").write_text(f"mine {number}")
            assert leave(tmp_path, "company.py", "third") == tmp_path / f"company.yours-{number}.py"
            assert (tmp_path / f"company.yours-{number}.py").read_text() == f"mine {number}"
            assert (tmp_path / "company.py").read_text() == "third"
