"""`milepost run`: complete, interrupted, killed, refused; JSON lines; plain lines."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from run_command import Outcome, arrived_rows, begin, command, end, expected_rows, let_go, make_company, milepost, typed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_company(tmp_path)
    return tmp_path


def test_a_run_ends_complete_and_tells_what_became_of_the_rows(folder: Path) -> None:
    done = milepost(folder, "run", "crm.py")

    assert done.status == 0
    assert done.out == ""
    assert arrived_rows(folder) == expected_rows(folder)
    lines = [line.split() for line in done.err.splitlines()]
    assert ["✓", "customer", "40", "38", "0", "0", "2"] in [line[:7] for line in lines]
    assert ["✓", "invoice", "300", "274", "0", "10", "16"] in [line[:7] for line in lines]
    assert ["together", "340", "312", "0", "10", "18"] in [line[:6] for line in lines]
    assert "18 rows rejected" in done.err
    assert "crm: complete in" in done.err


def test_without_a_terminal_there_are_plain_lines_without_control_characters(folder: Path) -> None:
    done = milepost(folder, "run", "crm.py", TERM="xterm-256color")

    assert "\x1b" not in done.err
    assert "\r" not in done.err
    assert "customer: started" in done.err.splitlines()
    assert any(line.startswith("invoice: complete, 300 rows") for line in done.err.splitlines())


def test_json_is_one_event_a_line_and_nothing_else_whatever_the_users_code_prints(folder: Path) -> None:
    noisy = (
        'import os\nprint("printed at import")\n'
        + (folder / "crm.py").read_text()
        + '\n@crm.before\ndef chatter():\n    print("printed by a step")\n    os.system("echo by a child")\n'
    )
    (folder / "crm.py").write_text(noisy)

    done = milepost(folder, "run", "crm.py", "--json")

    names = [document["event"] for document in done.documents]
    assert done.status == 0
    assert (names[0], names[-1]) == ("run_started", "run_ended")
    assert names.count("batch_committed") == 1 + 6
    batches = [each for each in done.documents if each["event"] == "batch_committed" and each["path"] == "invoice"]
    assert batches[-1]["counts"] == {"read": 300, "loaded": 274, "unchanged": 0, "filtered": 10, "rejected": 16}
    for text in ("printed at import", "printed by a step", "by a child"):
        assert text in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_next_commit_and_the_same_command_resumes(folder: Path, number: int) -> None:
    process = begin(folder, "run", "crm.py", "--json")
    process.send_signal(number)
    while "stopping" not in (line := process.stderr.readline()):  # type: ignore[union-attr]
        assert line, "it never said that it stops"
    let_go(folder)
    stopped = end(process)

    assert stopped.status == 130
    assert line == "stopping at the next commit; press again to stop now\n"
    assert f"Run the same command again to resume: {typed('run', 'crm.py')}" in stopped.err
    assert read_rows(stopped)["invoice"] == 150  # the batch that was under way is committed, and no further one
    assert len(arrived_rows(folder)[1]) < len(expected_rows(folder)[1])

    again = milepost(folder, "run", "crm.py", "--json")

    assert again.status == 0
    assert "crm: recovering. The last run was interrupted" in again.err
    assert "invoice: resuming after 150 rows at 150 (attempt 2)" in again.err
    assert arrived_rows(folder) == expected_rows(folder)


def test_a_second_signal_stops_at_once_and_loses_nothing_that_was_committed(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    process.send_signal(signal.SIGINT)
    while "stopping" not in (line := process.stderr.readline()):  # type: ignore[union-attr]
        assert line, "it never said that it stops"
    process.send_signal(signal.SIGINT)
    stopped = end(process)

    assert stopped.status == 130
    assert "stopped at once" in stopped.err
    let_go(folder)
    assert milepost(folder, "run", "crm.py").status == 0
    assert arrived_rows(folder) == expected_rows(folder)


def test_a_killed_run_is_taken_over_at_once(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    process.kill()
    end(process)
    let_go(folder)

    again = milepost(folder, "run", "crm.py")

    assert again.status == 0
    assert "crm: recovering. The last run was killed" in again.err
    assert "invoice: resuming after 100 rows at 100 (attempt 2)" in again.err
    assert "customer: complete already, 40 rows" in again.err
    assert arrived_rows(folder) == expected_rows(folder)


def test_a_second_run_is_refused_and_told_who_holds_the_lease(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    refused = milepost(folder, "run", "crm.py", "--json")
    let_go(folder)
    first = end(process)

    assert refused.status == 3
    assert f"{process.pid}" in refused.err
    assert "until" in refused.err
    assert refused.document["event"] == "error"
    assert refused.document["exit"] == 3
    assert first.status == 0
    assert arrived_rows(folder) == expected_rows(folder)


def test_a_second_run_is_refused_before_it_has_looked_at_anything_else(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    refused = milepost(folder, "run", "crm.py", "--source", "sqlite:///there-is-none.db")
    process.kill()
    end(process)

    assert refused.status == 3
    assert f"{process.pid}" in refused.err
    assert milepost(folder, "run", "crm.py", "--source", "sqlite:///there-is-none.db").status == 2


def closed_pipe() -> int:
    """The end to write to of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("gone", ["stdout", "stderr", "both"])
@pytest.mark.parametrize("json", [True, False])
def test_a_job_goes_on_to_its_end_when_nobody_reads_what_it_says(folder: Path, gone: str, json: bool) -> None:
    noisy = (folder / "crm.py").read_text() + '\n@crm.before\ndef chatter():\n    print("x" * 100_000)\n'
    (folder / "crm.py").write_text(noisy if json else (folder / "crm.py").read_text())
    pipe = closed_pipe()
    streams = {name: pipe if gone in {name, "both"} else subprocess.PIPE for name in ("stdout", "stderr")}

    done = subprocess.run(
        command("run", "crm.py", *(["--json"] if json else [])), cwd=folder, check=False, timeout=60, **streams
    )
    os.close(pipe)

    assert done.returncode == 0
    assert arrived_rows(folder) == expected_rows(folder)
    if json and gone == "stdout":
        assert b"standard output takes no more (Broken pipe); the job goes on without it" in done.stderr


def test_a_failed_job_that_nobody_hears_has_its_own_exit_status(folder: Path) -> None:
    (folder / "crm.py").write_text((folder / "crm.py").read_text().replace("max_rejects=20", "max_rejects=1"))
    pipe = closed_pipe()

    done = subprocess.run(command("run", "crm.py"), cwd=folder, check=False, timeout=60, stdout=pipe, stderr=pipe)
    os.close(pipe)

    assert done.returncode == 1
    assert milepost(folder, "status", "crm.py", "--json").document["state"] == "failed"


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_lets_nothing_be_written_into_a_database(folder: Path, closed: str) -> None:
    line = f"exec {' '.join(command('run', 'crm.py', '--json'))} {closed}"

    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, check=False, timeout=60)

    assert done.returncode == 0
    assert arrived_rows(folder) == expected_rows(folder)


def test_the_run_after_a_complete_one_says_that_nothing_was_left_to_do(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    again = milepost(folder, "run", "crm.py", "--json")

    assert again.status == 0
    assert "complete already; nothing was left to do" in again.err
    assert "batch_committed" not in {document["event"] for document in again.documents}


def test_a_complete_job_that_is_declared_otherwise_now_is_told_so_in_lines_and_json(folder: Path) -> None:
    milepost(folder, "run", "crm.py")
    (folder / "crm.py").write_text((folder / "crm.py").read_text().replace('row["total"] == 0', 'row["total"] < 1'))

    again = milepost(folder, "run", "crm.py", "--json")

    told = [each["message"] for each in again.documents if each["event"] == "told"]
    assert again.status == 0
    assert any("row['total'] < 1" in message for message in told), told
    assert all(message in again.err for message in told)


def test_a_failed_run_shows_the_users_own_line_and_how_to_resume(folder: Path) -> None:
    good = (folder / "crm.py").read_text()
    line = len(good.splitlines()) + 3
    (folder / "crm.py").write_text(
        good + "\n@crm.after\ndef close_books():\n    raise OSError('the ledger is locked')\n"
    )
    assert (folder / "crm.py").read_text().splitlines()[line].strip().startswith("raise")

    failed = milepost(folder, "run", "crm.py")

    assert failed.status == 1
    assert "OSError: the ledger is locked" in failed.err
    assert f"crm.py, line {line + 1}, in close_books" in failed.err
    assert "Traceback" not in failed.err
    assert "/milepost/jobs/" not in failed.err
    assert f"Run the same command again to resume: {typed('run', 'crm.py')}" in failed.err


def test_a_plan_that_turns_out_wrong_in_the_middle_is_a_failed_run_that_can_be_resumed(folder: Path) -> None:
    good = (folder / "crm.py").read_text()
    (folder / "crm.py").write_text(good.replace("    return row\n", '    return (row,) if row["no"] == 25 else row\n'))

    failed = milepost(folder, "run", "crm.py", "--json")
    status = milepost(folder, "status", "crm.py", "--json").document
    (folder / "crm.py").write_text(good)

    assert failed.status == 1
    assert failed.documents[0]["event"] == "run_started"
    assert "Run the same command again to resume:" in failed.err
    assert status["state"] == "failed"
    assert milepost(folder, "run", "crm.py", "--accept-changed", "customer").status == 0
    assert arrived_rows(folder) == expected_rows(folder)


def test_too_many_rejects_fail_the_run_and_say_how_to_allow_them(folder: Path) -> None:
    strict = (folder / "crm.py").read_text().replace("max_rejects=20", "max_rejects=1")
    (folder / "crm.py").write_text(strict)

    failed = milepost(folder, "run", "crm.py")

    assert failed.status == 1
    assert "email has no @" in failed.err
    assert "max_rejects" in failed.err
    assert arrived_rows(folder) == ([], [])


def test_a_changed_definition_of_a_half_done_object_is_refused_until_it_is_accepted(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    process.kill()
    end(process)
    let_go(folder)
    (folder / "crm.py").write_text((folder / "crm.py").read_text().replace('row["total"] == 0', 'row["total"] < 1'))

    refused = milepost(folder, "run", "crm.py")
    accepted = milepost(folder, "run", "crm.py", "--accept-changed", "invoice")

    assert refused.status == 2
    assert "row['total'] < 1" in refused.err
    assert "--accept-changed invoice" in refused.err
    assert accepted.status == 0
    assert arrived_rows(folder) == expected_rows(folder)


def test_the_files_own_main_does_what_the_command_does(folder: Path) -> None:
    (folder / "crm.py").write_text((folder / "crm.py").read_text() + '\nif __name__ == "__main__":\n    crm.run()\n')

    done = subprocess.run([sys.executable, "crm.py"], cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "crm: complete in" in done.stderr
    assert arrived_rows(folder) == expected_rows(folder)


def read_rows(done: Outcome) -> dict[str, int]:
    """Rows read by path, from the events."""
    return {each["path"]: each["counts"]["read"] for each in done.documents if each["event"] == "batch_committed"}
