"""Wrong usage: exit status 2, a sentence that helps, no traceback of ours, no password."""

import subprocess
import sys
from pathlib import Path

import pytest

from run_command import make_company, milepost

SECRET = "tr0ub4dor"  # a password of nobody
URL = f"postgresql://anna:{SECRET}@127.0.0.1:1/crm"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_company(tmp_path)
    (tmp_path / "syntax.py").write_text("from milepost import Migration\n\nx = (\n")
    (tmp_path / "fails.py").write_text("def settings():\n    return {}['port']\n\n\nPORT = settings()\n")
    (tmp_path / "twice.py").write_text(
        "from milepost import Migration, Table\nm = Migration('m', target='sqlite:///new.db')\n"
        "a = m.object('a', source=Table('a', key='a'), target=Table('a', key='a'))\n"
        "b = m.object('a', source=Table('a', key='a'), target=Table('a', key='a'))\n"
    )
    return tmp_path


WRONG = {
    "no such file": (["run", "cmr.py"], ["cmr.py is not there", "Did you mean crm.py?"]),
    "no such module": (["run", "nowhere:job"], ["neither a file nor a module called nowhere"]),
    "no such job in the file": (["status", "crm.py:crn"], ["no job called crn", "It holds crm"]),
    "a syntax error": (["plan", "syntax.py"], ["syntax.py, line 3", "x = ("]),
    "an exception at import": (
        ["run", "fails.py"],
        ["KeyError: 'port'", "fails.py, line 5", "fails.py, line 2, in settings"],
    ),
    "an object declared twice": (["run", "twice.py"], ["two objects or steps called a", "twice.py, line 4"]),
    "an unknown option": (["run", "crm.py", "--sorce", "x"], ["--sorce", "--source"]),
    "an unknown command": (["runn", "crm.py"], ["runn"]),
    "an unknown object to accept": (["run", "crm.py", "--accept-changed", "invoce"], ["invoce"]),
    "a URL of no database": (["run", "crm.py", "--source", "mysql://h/d"], ["mysql://h/d", "is not a database URL"]),
    "a store that is none": (["run", "crm.py", "--target", "sqlite:///crm.py"], ["crm.py"]),
    "no argument": (["run"], ["Missing argument 'FILE'", "Usage: milepost run"]),
    "rewind of nothing": (["rewind", "crm.py", "customer"], ["nothing to rewind"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_and_the_exit_status_is_2(folder: Path, case: str) -> None:
    arguments, expected = WRONG[case]
    before = sorted(path.name for path in folder.iterdir())

    refused = milepost(folder, *arguments)

    assert refused.status == 2
    assert refused.out == ""
    for text in expected:
        assert text in refused.err
    assert "Traceback" not in refused.err
    assert "/milepost/cli/" not in refused.err
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before


@pytest.mark.parametrize("command", ["run", "plan", "status", "rejects"])
def test_an_error_is_one_json_object_too(folder: Path, command: str) -> None:
    refused = milepost(folder, command, "nowhere.py", "--json")

    assert refused.status == 2
    assert "nowhere.py is not there" in refused.document["error"]
    assert refused.document["exit"] == 2


def test_a_server_that_cannot_be_reached_may_be_tried_again(folder: Path) -> None:
    failed = milepost(folder, "run", "crm.py", "--source", URL)

    assert failed.status == 1
    assert "cannot be reached" in failed.err
    assert SECRET not in failed.err + failed.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "crm.py", URL],
        ["run", "crm.py", f"--source-url={URL}"],
        ["run", "crm.py", "--source", URL, "--target", URL],
        ["plan", "crm.py", "--target", URL, "--json"],
        ["status", "crm.py", "--store", URL],
        ["run", "crm.py", "--target", f"nonsense://anna:{SECRET}@h/d"],
        ["run", "crm.py", "--target", f"postgresql://anna:{SECRET}@[h/d"],
        ["run", URL],
        ["run", f"{URL}:crm"],
        ["rewind", "crm.py", URL],
        ["rejects", "crm.py", "--object", URL],
        [URL],
    ],
)
def test_no_password_is_in_any_output(folder: Path, arguments: list[str]) -> None:
    refused = milepost(folder, *arguments)

    assert refused.status in {1, 2}
    assert refused.err
    assert SECRET not in refused.err + refused.out


def test_a_password_in_a_users_own_exception_is_hidden_and_stored_nowhere(folder: Path) -> None:
    text = f'\n@crm.before\ndef connect():\n    raise ValueError("cannot reach {URL}")\n'
    (folder / "crm.py").write_text((folder / "crm.py").read_text() + text)

    failed = milepost(folder, "run", "crm.py", "--json")
    status = milepost(folder, "status", "crm.py", "--json")

    assert failed.status == 1
    assert "cannot reach postgresql://anna:***@127.0.0.1:1/crm" in failed.err
    assert SECRET not in failed.err + failed.out + status.out
    stored = b"".join(file.read_bytes() for file in folder.iterdir() if file.suffix != ".py" and file.is_file())
    assert SECRET.encode() not in stored


def test_help_loads_no_driver_and_draws_nothing(folder: Path) -> None:
    listing = "import sys; from milepost.cli import main; main(['--help']); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)

    modules = set(done.stdout.splitlines())
    assert "click" in modules
    assert not modules & {"rich", "sqlite3", "psycopg", "milepost.wiring.run"}
