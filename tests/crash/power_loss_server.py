"""A PostgreSQL server of which the power is cut: what was not flushed when a commit was answered is gone with it.

It runs with fsync as delivered, and its writer of WAL, which flushes what nobody waits for, sleeps as long as it may.
`cut` is `pg_ctl stop -m immediate`: every process is killed, and the next start recovers from the WAL.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

import fix_postgres
from fix_databases import Database
from fix_postgres import KEEPER

SETTINGS = """
fsync = on
synchronous_commit = on
wal_writer_delay = '10s'
client_min_messages = 'warning'
max_wal_senders = 0
recovery_init_sync_method = 'syncfs'
"""


@dataclass
class MainsServer:
    """The server: `cut` takes its power away, `restore` gives it back."""

    control: list[str]
    log: Path
    port: int
    account: str | None
    password: str

    def cut(self) -> None:
        self._run("-m", "immediate", "stop")

    def restore(self) -> None:
        self._run("-l", str(self.log), "-o", f"-p {self.port}", "start")

    def database(self, name: str) -> Database:
        """It is made, or emptied: more files would have to be looked at in every recovery."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as keeper:
            if not keeper.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
                keeper.execute(f"CREATE DATABASE {name}".encode())
        with psycopg.connect(self._url(name), autocommit=True) as keeper:
            keeper.execute("DROP SCHEMA IF EXISTS public, milepost CASCADE; CREATE SCHEMA public")
        return Database(self._url(name))

    def _url(self, name: str) -> str:
        return f"postgresql://{KEEPER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def _run(self, *arguments: str) -> None:
        done = fix_postgres._run([*self.control, *arguments], self.account, check=False)
        assert done.returncode == 0, done.stdout


@contextlib.contextmanager
def mains_server() -> Iterator[MainsServer]:
    """Make it, run it, and leave nothing behind."""
    account = fix_postgres._account()
    folder = fix_postgres._folder(account, "/dev/shm")  # in memory: what the server writes survives it anywhere
    try:
        binaries = fix_postgres._reachable(fix_postgres.binaries_found()[0], folder, account)
        password = secrets.token_hex(8)
        fix_postgres._initialise(binaries, folder, password, account)
        with (folder / "data/postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        control = [str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w", "-t", "60"]
        with fix_postgres._guard(control[0], folder, account):
            port = fix_postgres._start(control, folder, account)
            server = MainsServer(control, folder / "log", port, account, password)
            try:
                yield server
            finally:
                server.cut()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
