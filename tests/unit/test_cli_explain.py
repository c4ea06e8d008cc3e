"""Errors as they are shown: their exit status, the user's own lines, no password."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from milepost.cli.explain import explain, hide_secrets
from milepost.cli.run import Showing
from milepost.errors import (
    DefinitionChanged,
    Fatal,
    Interrupted,
    LeaseHeld,
    LeaseLost,
    OutOfStep,
    PlanError,
    Retryable,
    StoreError,
)
from milepost.jobs.event import RunStarted
from milepost.testing.clock import ManualClock
from milepost.wiring.frames import users_frames


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Fatal("x"), 1),
        (Retryable("x"), 1),
        (LeaseLost("x"), 1),
        (PlanError("x"), 1),
        (DefinitionChanged("x"), 1),
        (LeaseHeld("x"), 3),
        (Interrupted("x"), 130),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
        (sqlite3.OperationalError("database or disk is full"), 1),
    ],
)
def test_every_kind_of_error_has_its_exit_status(error: BaseException, status: int) -> None:
    assert explain(error, started=True).status == status


@pytest.mark.parametrize("error", [StoreError("x"), PlanError("x"), DefinitionChanged("x")])
def test_what_may_have_written_something_is_not_called_wrong_usage(error: Exception) -> None:
    assert explain(error, started=False).status == 2
    assert explain(error, started=True).status == 1


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_the_users_own_line_is_shown_and_none_of_ours() -> None:
    with pytest.raises(PlanError) as caught:
        explain_me()

    where = "\n".join(users_frames(caught.value))

    assert "in explain_me" in where
    assert "milepost/cli/" not in where
    assert str(Path(__file__)) in where


def explain_me() -> None:
    from milepost.wiring.find import find

    find("/nowhere/at/all.py")


def test_the_cause_in_the_users_code_is_found_behind_an_error_of_ours() -> None:
    fatal = Fatal("customer: row 3 could not be restructured")
    fatal.__cause__ = raised(KeyError("email"))

    where = list(users_frames(fatal))

    assert where[0] == "KeyError: 'email'"
    assert "in raised" in where[1]


def test_a_drivers_error_is_not_called_a_mistake_of_milepost() -> None:
    assert "went wrong" not in explain(sqlite3.OperationalError("disk is full"), started=True).message
    assert "went wrong" in explain(RuntimeError("?"), started=True).message


@pytest.mark.parametrize(
    "text",
    [
        "could not connect to postgresql://anna:pa55word@db/crm",
        "'postgresql+psycopg://anna:pa55word@db/crm' and sqlite:///x.db",
        "connection to host=db user=anna password=pa55word failed",
        "anna has pa55word",
        "quoted pa55word%21 and plain pa55word!",
    ],
)
def test_no_password_is_left_in_a_text(text: str) -> None:
    urls = ["postgresql://anna:pa55word@db/crm", "postgresql://anna:pa55word%21@db/crm", None]

    assert "pa55word" not in hide_secrets(text, urls)


def test_a_url_without_a_password_stays_readable() -> None:
    text = "no table x in postgresql://anna@db:5432/crm or sqlite:///a.db"

    assert hide_secrets(text, ["postgresql://anna@db:5432/crm", "sqlite:///a.db"]) == text


@pytest.mark.parametrize(
    ("error", "resumes"),
    [
        (OutOfStep("x"), False),
        (LeaseLost("x"), False),
        (StoreError("x"), False),
        (DefinitionChanged("x"), False),
        (Fatal("too many rejects"), True),
        (PlanError("the function returned a tuple"), True),
        (Retryable("x"), True),
        (Interrupted("x"), True),
        (ValueError("x"), True),
    ],
)
def test_the_same_command_is_named_only_where_it_can_go_on(
    error: BaseException, resumes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Showing(clock=ManualClock(), urls=[], out=None, objects=frozenset())
    shown.emit(RunStarted(job="crm", epoch=2, store="s", recovering=True, paused_for=None))
    shown.fail(error)
    said = capsys.readouterr().err

    assert ("Run the same command again to resume" in said) == resumes
    assert ("What is committed stays." in said) == (not isinstance(error, KeyboardInterrupt))


def test_no_frame_of_a_compiled_driver_is_shown_as_the_users() -> None:
    code = compile("raise OSError('the server closed the connection')", "psycopg_binary/_psycopg/waiting.pyx", "exec")
    with pytest.raises(OSError, match="closed") as caught:
        exec(code)
    fatal = Fatal("the server at db:5432 has gone")
    fatal.__cause__ = caught.value.with_traceback(caught.tb.tb_next)

    assert list(users_frames(fatal)) == []


def test_what_psycopg_logs_is_not_beside_what_the_command_says() -> None:
    log = "import logging; logging.getLogger('psycopg').warning('error ignored in rollback')"
    quiet = f"from milepost.cli import main; main(['--version']); {log}"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
        for code in (log, quiet)
    ]

    assert said == ["error ignored in rollback\n", ""]
