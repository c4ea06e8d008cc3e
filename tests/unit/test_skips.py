"""The plug-in fix_skips: nothing is skipped in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

IN_A_TEST = "import pytest\ndef test_a():\n    pytest.skip('no server')\ndef test_b(): pass\n"
WHOLE_FILE = "import pytest\npytest.importorskip('no_such_module')\n"
BY_A_MARK = "import pytest\n@pytest.mark.skipif(True, reason='no server')\ndef test_a(): pass\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n"


def run(folder: Path, text: str, *arguments: str, ci: bool) -> subprocess.CompletedProcess[str]:
    (folder / "test_sample.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[1])} | ({"CI": "true"} if ci else {})
    command = [sys.executable, "-m", "pytest", "-p", "fix_skips", "-p", "no:cacheprovider", "-rs", *arguments, "."]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", [IN_A_TEST, WHOLE_FILE, BY_A_MARK])
def test_a_skip_fails_in_ci_and_is_named(tmp_path, text):
    result = run(tmp_path, text, ci=True)
    assert result.returncode == 1
    assert "failed: skipped in CI" in result.stdout
    assert "test_sample.py" in result.stdout.partition("failed: skipped in CI")[2]


def test_a_skip_fails_in_ci_when_tests_run_in_parallel(tmp_path):
    assert run(tmp_path, IN_A_TEST, "-n", "1", ci=True).returncode == 1


@pytest.mark.parametrize("text", [IN_A_TEST, BY_A_MARK])
def test_a_skip_elsewhere_is_told_with_its_reason(tmp_path, text):
    result = run(tmp_path, text, ci=False)
    assert result.returncode == 0
    assert "no server" in result.stdout


def test_an_expected_failure_is_no_skip(tmp_path):
    assert run(tmp_path, EXPECTED_FAILURE, ci=True).returncode == 0
