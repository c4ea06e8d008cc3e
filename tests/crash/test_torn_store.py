"""A store's file, or its -wal, is torn, empty, gone or somebody else's after a kill: resumed exactly, or refused."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from milepost.errors import StoreError
from milepost.jobs.state import Record, State
from milepost.wiring.open import open_store
from run_command import arrived_rows, begin, end, expected_rows, let_go, make_company, milepost

PAGE = 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run was killed in its third batch of invoices: most of what it committed is in the -wal."""
    make_company(tmp_path)
    process = begin(tmp_path, "run", "crm.py")
    process.kill()
    end(process)
    let_go(tmp_path)
    assert (tmp_path / "new.db-wal").stat().st_size > 10 * PAGE
    return tmp_path


def fold_wal(folder: Path) -> int:
    """Have everything in the one file; how many pages it has."""
    with closing(sqlite3.connect(folder / "new.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "new.db").stat().st_size // PAGE


def put_back(folder: Path, files: dict[str, bytes]) -> None:
    for file in folder.iterdir():
        file.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def unused_pages(folder: Path) -> set[int]:
    """The pages, from 1, of the key map and of links: this migration has neither, and never reads them."""
    with closing(sqlite3.connect(folder / "new.db")) as connection:
        for table in ("milepost_key_map", "milepost_link"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        query = "SELECT rootpage FROM sqlite_master WHERE tbl_name IN ('milepost_key_map', 'milepost_link')"
        return {page for (page,) in connection.execute(query)}


def is_whole(folder: Path, lost: set[int], unused: set[int], status: int) -> bool:
    """Whether the run came to its end because only pages were lost that it has no use for: then with every row."""
    if not lost <= unused or status:
        return False
    assert arrived_rows(folder) == expected_rows(folder)
    return True


def cut(name: str, share: float) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, int((folder / name).stat().st_size * share))


def garble(folder: Path) -> None:
    with (folder / "new.db-wal").open("r+b") as file:
        file.seek((folder / "new.db-wal").stat().st_size // 2)
        file.write(b"\xff" * 100)


HARMLESS: dict[str, Callable[[Path], None]] = {
    "its -wal is gone": lambda folder: (folder / "new.db-wal").unlink(),
    "its -wal is empty": cut("new.db-wal", 0),
    "its -wal is torn": cut("new.db-wal", 0.6),
    "its -wal is garbled": garble,
    "its -shm is garbled": lambda folder: (folder / "new.db-shm").write_bytes(b"\xff" * 32768),
}


@pytest.mark.parametrize("damage", HARMLESS)
def test_a_run_goes_on_from_what_the_file_still_has(folder: Path, damage: str) -> None:
    """Rows and checkpoints are in one file: they went back together."""
    HARMLESS[damage](folder)

    done = milepost(folder, "run", "crm.py")

    assert done.status == 0, done.err
    assert arrived_rows(folder) == expected_rows(folder)


def test_a_file_cut_anywhere_is_refused_or_whole(folder: Path) -> None:
    """Where it is only found in the middle, what is committed before stays and the run fails with words."""
    pages, unused = fold_wal(folder), unused_pages(folder)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    whole = files["new.db"]
    for size in [100, PAGE, *(PAGE * page - 100 for page in range(2, pages + 1, 3)), PAGE * pages - 100]:
        put_back(folder, files | {"new.db": whole[:size]})
        done = milepost(folder, "run", "crm.py")
        if is_whole(folder, set(range(size // PAGE + 1, pages + 1)), unused, done.status):
            continue
        assert done.status in {1, 2}, (size, done.err)
        assert "malformed" in done.err or "damaged" in done.err, (size, done.err)
        assert "Milepost itself" not in done.err, (size, done.err)


def test_a_file_with_a_page_of_zeros_is_refused_in_words(folder: Path) -> None:
    pages, unused = fold_wal(folder), unused_pages(folder)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    whole = files["new.db"]
    for page in range(pages):
        put_back(folder, files | {"new.db": whole[: PAGE * page] + bytes(PAGE) + whole[PAGE * (page + 1) :]})
        done = milepost(folder, "run", "crm.py")
        if is_whole(folder, {page + 1}, unused, done.status):
            continue
        assert done.status in {1, 2}, (page, done.err)
        assert "malformed" in done.err or "not a database" in done.err, (page, done.err)
        assert "Milepost itself" not in done.err, (page, done.err)


def test_a_store_that_lost_all_it_held_is_no_new_one(tmp_path: Path) -> None:
    """Of a job whose store is a file of its own: taken for new, it would do everything again."""
    url, file = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "store.db"
    store = open_store(url, create=True)
    assert store is not None
    lease = store.acquire("crm", holder="me", ttl=60)
    store.put(lease, Record(path="done", state=State.STARTED, attempt=1))
    wal = (tmp_path / "store.db-wal").read_bytes()
    lock = next(tmp_path.glob("*.lease"))
    store.close()

    (tmp_path / "store.db-wal").write_bytes(wal)
    for lose in (lambda: os.truncate(file, 0), file.unlink):
        lose()
        for create in (True, False):
            with pytest.raises(StoreError, match=r"store\.db is (empty|not there), and store\.db-wal .* holds commits"):
                open_store(url, create=create)
        assert (tmp_path / "store.db-wal").read_bytes() == wal
    (tmp_path / "store.db-wal").unlink()
    file.touch()
    with pytest.raises(StoreError, match=rf"store\.db is empty, and {lock.name}"):
        open_store(url, create=True)
    lock.unlink()  # as the hint says
    again = open_store(url, create=True)
    assert again is not None
    assert again.jobs() == []
    again.close()


def test_what_milepost_never_writes_is_called_damage(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = open_store(url, create=True)
    assert store is not None
    with closing(store):
        lease = store.acquire("crm", holder="me", ttl=60)
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1, position=[1]))
        for column, value in (("position", "[1"), ("state", "half"), ("changed_at", "yesterday")):
            with closing(sqlite3.connect(tmp_path / "store.db")) as plain, plain:
                (before,) = plain.execute(f"SELECT {column} FROM milepost_checkpoint").fetchone()
                plain.execute(f"UPDATE milepost_checkpoint SET {column} = ?", [value])
            with pytest.raises(StoreError, match=r"never written by Milepost") as damaged:
                store.get("crm", "a")
            assert "restore a backup" in (damaged.value.hint or "")
            with closing(sqlite3.connect(tmp_path / "store.db")) as plain, plain:
                plain.execute(f"UPDATE milepost_checkpoint SET {column} = ?", [before])
