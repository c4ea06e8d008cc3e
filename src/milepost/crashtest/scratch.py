"""Scratch copies of everything a job reads and writes. The real databases and files are only ever read."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

from milepost.crashtest.declared import Declared, file_of
from milepost.crashtest.sqlite_copy import copy_file, forget_store
from milepost.errors import PlanError
from milepost.wiring.ends import place_of

FOLDERS_LEFT_OUT = ("__pycache__", "venv", "node_modules", ".*", "milepost-crashtest-*")
FILES_LEFT_OUT = ("*.pyc", "*.lease", "*-wal", "*-shm", "*-journal")
MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one round takes place: its own working folder, and its own copy of what the job writes.

    ``databases`` maps real places to the scratch URLs; ``written`` are those that belong to this round, the target
    first. ``servers`` maps of those on a server the scratch URL to the real one.
    """

    name: str
    root: Path
    folder: Path
    source: str | None
    target: str | None
    store: str
    databases: Mapping[str, str]
    written: tuple[str, ...]
    servers: Mapping[str, str]


@dataclass
class Scratch:
    """The copies that every round starts from. ``on_server`` is told of each server before something is made there."""

    root: Path
    declared: Declared
    folder: Path | None  # FILE's own; None for a module
    on_server: Callable[[str, str], None]
    anew: bool = True  # the store of what was run before is left out
    notes: list[str] = field(default_factory=list)
    prefix: str = field(default_factory=lambda: f"milepost_crashtest_{secrets.token_hex(4)}_")
    _originals: dict[str, str] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def prepare(self) -> None:
        """Copy what is real. Raises PlanError where a copy cannot be made."""
        (self.root / "rounds").mkdir()
        (self.root / "folder").mkdir()
        if self.folder is not None:
            self._copy_folder(self.folder)
        for place, url in {**self.declared.read, **self.declared.written}.items():
            self._copy_database(place, url)

    def fresh(self, name: str) -> Place:
        """A place where nothing has happened yet."""
        root = self.root / "rounds" / name.replace(":", "-")
        folder = root / "folder"
        shutil.copytree(self.root / "folder", folder)
        shared = {place: self._shared(place, url, folder) for place, url in self.declared.read.items()}
        own = {place: self._own(place, url, root) for place, url in self.declared.written.items()}
        databases = {**shared, **own}
        return Place(
            name=name,
            root=root,
            folder=folder,
            source=databases.get(place_of(self.declared.source) or ""),
            target=databases.get(place_of(self.declared.target) or ""),
            store=databases[place_of(self.declared.store) or ""],
            databases=databases,
            written=tuple(own.values()),
            servers={own[place]: url for place, url in self.declared.written.items() if file_of(url) is None},
        )

    def drop(self, place: Place) -> None:
        """Clear the place away."""
        for scratch, real in place.servers.items():
            from milepost.crashtest.postgres_copy import drop_database

            drop_database(real, scratch)
        shutil.rmtree(place.root)

    def _copy_folder(self, folder: Path) -> None:
        bytes_in_all = 0
        for file in files_below(folder):
            if str(file.resolve()) in {**self.declared.read, **self.declared.written}:
                continue
            bytes_in_all += file.stat().st_size
            if bytes_in_all > MOST_BYTES:
                raise PlanError(
                    f"the folder {folder} is too large to be copied for every round",
                    hint="Put the file, and what it reads, into a folder of its own.",
                )
            copy = self.root / "folder" / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copy2(file, copy)
            except OSError as error:
                raise PlanError(
                    f"{file} cannot be copied: {error.strerror}",
                    hint="The whole folder of the job's file is copied. Put the file, and what it reads, into a folder"
                    " of its own.",
                ) from error

    def _copy_database(self, place: str, url: str) -> None:
        real, number = file_of(url), next(self._numbers)
        if real is None:
            from milepost.crashtest.postgres_copy import copy_database

            self.on_server(url, self.prefix)
            self._originals[place] = copy_database(url, f"{self.prefix}{number}", anew=self.anew)
            return
        if not real.exists() and url == self.declared.store != self.declared.target:
            return
        copy = self.root / "originals" / f"{number}.db"
        self._originals[place] = f"sqlite:///{copy}"
        copy_file(real, copy)
        if self.anew and place in self.declared.written and forget_store(copy):
            self.notes.append(f"what the store in {real} knows of earlier runs is left out: every round begins anew")

    def _shared(self, place: str, url: str, folder: Path) -> str:
        """What is only read: one copy for all rounds, seen in each folder where the real one is in FILE's."""
        copy, beside = file_of(self._originals[place]), self._inside(url)
        if copy is not None and beside is not None:
            seen = folder / beside
            seen.parent.mkdir(parents=True, exist_ok=True)
            seen.symlink_to(copy)
        return self._originals[place]

    def _own(self, place: str, url: str, root: Path) -> str:
        """What is written: a copy for this round, where the real one is seen from FILE's folder."""
        real, original = file_of(url), self._originals.get(place)
        if real is None:
            from milepost.crashtest.postgres_copy import new_database

            return new_database(url, f"{self.prefix}{next(self._numbers)}", like=self._originals[place])
        beside = self._inside(url)
        apart = root / "databases" / str(list(self.declared.written).index(place)) / real.name
        file = apart if beside is None else root / "folder" / beside
        file.parent.mkdir(parents=True, exist_ok=True)
        if original is not None:
            shutil.copyfile(file_of(original) or "", file)
        return f"sqlite:///{file}"

    def _inside(self, url: str) -> Path | None:
        file = file_of(url)
        if file is None or self.folder is None or not file.is_relative_to(self.folder):
            return None
        return file.relative_to(self.folder)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private folder that is gone when the block is left."""
    root = Path(tempfile.mkdtemp(prefix="milepost-crashtest-")).resolve()
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file that belongs to a job: neither what Python makes, nor what a database keeps beside itself."""
    for each in sorted(folder.iterdir()):
        if each.is_dir():
            if not each.is_symlink() and not _matches(each, FOLDERS_LEFT_OUT):
                yield from files_below(each)
        elif each.is_file() and not _matches(each, FILES_LEFT_OUT):
            yield each


def _matches(file: Path, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(file.name, pattern) for pattern in patterns)
