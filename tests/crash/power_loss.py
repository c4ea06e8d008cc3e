"""Power loss for SQLite, simulated: what SQLite did not have fsynced is gone, wholly or in part; the process too.

``PowerSupply().connect(library)`` puts a VFS between SQLite and its files in this process, by ctypes, below the library
that Python's own sqlite3 uses. For every file it remembers what the disk surely holds (the content at the last xSync)
and every write and truncation since; for the folder, which files were made and deleted since somebody had it synced.
When the power fails, each of those later changes reaches the disk or does not, by the toss of a seeded coin, a write
perhaps with some of its sectors only. Without a seed none of them reaches it. Then the process ends by SIGKILL.

The fsync itself is left out: nothing here depends on the real disk, and a thousand of them take most of a minute.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import threading
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p, cast, create_string_buffer
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK = 0
SECTOR = 512
MAIN_JOURNAL, SUPER_JOURNAL, WAL = 0x800, 0x4000, 0x80000

Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
Sync = CFUNCTYPE(c_int, c_void_p, c_int)
Size = CFUNCTYPE(c_int, c_void_p, POINTER(c_int64))
Close = CFUNCTYPE(c_int, c_void_p)
Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))  # the name by its address: it is kept
Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)


class Methods(Structure):
    """sqlite3_io_methods of version 3."""

    _fields_ = [
        ("version", c_int),
        ("close", Close),
        ("read", Write),
        ("write", Write),
        ("truncate", Truncate),
        ("sync", Sync),
        ("size", Size),
        ("others", c_void_p * 12),
    ]


class Vfs(Structure):
    """sqlite3_vfs of version 3."""

    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", Open),
        ("delete", Delete),
        ("others", c_void_p * 14),
    ]


@dataclass(frozen=True)
class Change:
    """A write of ``data`` at ``at``, or (None) a truncation to that many bytes."""

    at: int
    data: bytes | None


@dataclass
class File:
    """What the disk surely holds of one file, and the changes since, which it may or may not hold."""

    durable: bytes
    pending: list[Change] = field(default_factory=list)

    def settle(self, survives: Callable[[Change], list[Change]]) -> bytes:
        content = bytearray(self.durable)
        for change in [part for each in self.pending for part in survives(each)]:
            if change.data is None:
                del content[change.at :]
            else:
                content.extend(bytes(max(0, change.at - len(content))))
                content[change.at : change.at + len(change.data)] = change.data
        return bytes(content)


class PowerSupply:
    """The power of this process; it fails at point ``fail_at`` (0: never).

    Two points for each write, truncation, sync and deletion: before it, and after it when nobody knows of it yet.
    """

    def __init__(self, fail_at: int = 0, seed: int | None = None) -> None:
        self.points = 0
        self.syncs = 0
        self._fail_at = fail_at
        self._chance = None if seed is None else random.Random(seed)
        self._lock = threading.RLock()
        self._files: dict[str, File] = {}  # by path, those that are there
        self._folder: dict[str, File | None] = {}  # as the disk surely has them, where it differs
        self._unsynced_names: set[str] = set()  # journals whose first sync has the folder synced too
        self._kept: list[Any] = []  # whatever C points to
        self._paths: dict[int, str] = {}  # by the address of SQLite's file
        self._methods: dict[int, int] = {}  # SQLite's own tables of methods, and ours in their place

    def connect(self, library: Path) -> None:
        """Stand between SQLite and its files from now on."""
        sqlite = ctypes.CDLL(str(library))
        sqlite.sqlite3_vfs_find.restype = POINTER(Vfs)
        self._system = sqlite.sqlite3_vfs_find(None).contents
        ours = Vfs.from_buffer_copy(self._system)
        ours.name = b"power"
        ours.open, ours.delete = Open(self._open), Delete(self._delete)
        self._kept += [sqlite, ours]
        if sqlite.sqlite3_vfs_register(byref(ours), 1) != OK:
            raise RuntimeError("SQLite does not take the VFS")

    def fail(self) -> None:
        """Leave on the disk what a power loss leaves now, and die."""
        for path in sorted({*self._files, *self._folder}):
            file = self._folder[path] if self._stays_away(path) else self._files.get(path)
            Path(f"{path}-shm").unlink(missing_ok=True)  # it is memory
            if file is None:
                Path(path).unlink(missing_ok=True)
            else:
                Path(path).write_bytes(file.settle(self._survivors))
        os.kill(os.getpid(), signal.SIGKILL)

    # -- by chance

    def _stays_away(self, path: str) -> bool:
        """Whether the folder's entry is as it was before it was last synced."""
        return path in self._folder and (self._chance is None or self._chance.random() < 0.5)

    def _survivors(self, change: Change) -> list[Change]:
        """What of an unsynced change is on the disk: nothing, all, or some sectors."""
        if self._chance is None:
            return []
        lot = self._chance.random()
        if change.data is None or lot < 0.7:
            return [change] if lot < 0.35 else []
        sectors = range(0, len(change.data), SECTOR)
        kept = [offset for offset in sectors if self._chance.random() < 0.5]
        return [Change(change.at + offset, change.data[offset : offset + SECTOR]) for offset in kept]

    # -- what SQLite calls

    def _effect(self, do: Callable[[], int]) -> int:
        with self._lock:
            self._point()
            code = do()
            self._point()
            return code

    def _point(self) -> None:
        self.points += 1
        if self.points == self._fail_at:
            self.fail()

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, given: Any) -> int:
        path = None if name is None else os.fsdecode(ctypes.string_at(name))
        there = path is not None and os.path.exists(path)  # noqa: PTH110 - quick, and the locks stay
        code: int = self._system.open(byref(self._system), name, file, flags, given)
        if code != OK or path is None:
            return code
        with self._lock:
            self._paths[file] = path
            if not there:
                self._folder.setdefault(path, self._files.get(path))
                self._files[path] = File(b"")
                if flags & (MAIN_JOURNAL | SUPER_JOURNAL | WAL):
                    self._unsynced_names.add(path)
            elif path not in self._files:
                self._files[path] = File(self._content(file))
            self._wrap(file)
        return code

    def _wrap(self, file: int) -> None:
        """Put our methods in place of the file's own, which are the first thing in it."""
        slot = cast(file, POINTER(c_void_p))
        own = slot[0]
        if own not in self._methods:
            theirs = cast(own, POINTER(Methods)).contents
            ours = Methods.from_buffer_copy(theirs)
            ours.write = Write(lambda file, data, size, at: self._write(theirs, file, data, size, at))
            ours.truncate = Truncate(lambda file, size: self._truncate(theirs, file, size))
            ours.sync = Sync(lambda file, _flags: self._sync(file))
            ours.close = Close(lambda file: self._close(theirs, file))
            self._kept.append(ours)
            self._methods[own] = ctypes.addressof(ours)
        slot[0] = self._methods[own]

    def _write(self, theirs: Methods, file: int, data: int, size: int, at: int) -> int:
        def do() -> int:
            self._files[self._paths[file]].pending.append(Change(at, ctypes.string_at(data, size)))
            return theirs.write(file, data, size, at)

        return self._effect(do)

    def _truncate(self, theirs: Methods, file: int, size: int) -> int:
        def do() -> int:
            self._files[self._paths[file]].pending.append(Change(size, None))
            return theirs.truncate(file, size)

        return self._effect(do)

    def _sync(self, file: int) -> int:
        def do() -> int:
            path = self._paths[file]
            self.syncs += 1
            held = self._files[path]
            held.durable, held.pending = held.settle(lambda change: [change]), []
            if path in self._unsynced_names:
                self._sync_folder(path)
            return OK

        return self._effect(do)

    def _close(self, theirs: Methods, file: int) -> int:
        with self._lock:
            self._paths.pop(file, None)
            return theirs.close(file)

    def _delete(self, _vfs: int, name: bytes, sync_folder: int) -> int:
        path = os.fsdecode(name)

        def do() -> int:
            code: int = self._system.delete(byref(self._system), name, sync_folder)
            if code == OK:
                self._folder.setdefault(path, self._files.get(path))
                self._files.pop(path, None)
                self._unsynced_names.discard(path)
                if sync_folder:
                    self._sync_folder(path)
            return code

        return self._effect(do)

    def _sync_folder(self, path: str) -> None:
        """Every name in the folder is as it is now, whatever becomes of the files' content."""
        folder = os.path.dirname(path)  # noqa: PTH120
        for known in [each for each in self._folder if os.path.dirname(each) == folder]:  # noqa: PTH120
            del self._folder[known]
            self._unsynced_names.discard(known)

    def _content(self, file: int) -> bytes:
        """By SQLite's own handle: closing another one would drop the process's locks on the file."""
        theirs = cast(cast(file, POINTER(c_void_p))[0], POINTER(Methods)).contents
        size = c_int64()
        theirs.size(file, byref(size))
        buffer = create_string_buffer(size.value)
        if size.value and theirs.read(file, ctypes.addressof(buffer), size.value, 0) != OK:
            raise RuntimeError("SQLite cannot read its file")
        return buffer.raw[: size.value]


def library_in_use() -> Path:
    """The library that Python's sqlite3 uses. Raises LookupError where it is linked in statically."""
    import sqlite3  # noqa: F401 - loads it

    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split(maxsplit=5)[-1]
        if "libsqlite3.so" in path:
            return Path(path)
    raise LookupError("Python's sqlite3 does not use a shared libsqlite3: its files cannot be stood before")
