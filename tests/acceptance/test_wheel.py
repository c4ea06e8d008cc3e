"""What a user installs: the wheel holds all of the package, and `make test` tests that very wheel."""

import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.util import find_spec
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def package() -> dict[str, bytes]:
    """Every file of the package that is or could be committed, by its name in the wheel."""
    listed = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    paths = subprocess.run([*listed, "src/milepost"], cwd=HOUSE, check=True, capture_output=True, text=True).stdout
    files = {path.removeprefix("src/"): HOUSE / path for path in paths.split("\0") if path}
    return {name: file.read_bytes() for name, file in files.items() if file.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> dict[str, bytes]:
    """What is in the wheel, made as a packager makes it: first the source archive, from that the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    build("sdist", folder, HOUSE)
    (archive,) = folder.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", archive.name], cwd=folder, check=True)
    build("wheel", folder, folder / archive.name.removesuffix(".tar.gz"))
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as content:
        return {name: content.read(name) for name in content.namelist()}


def build(what: str, into: Path, root: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", what, "-d", str(into)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    (name,) = (name for name in wheel if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel[name].decode())


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel, package):
    assert {name: content for name, content in wheel.items() if ".dist-info/" not in name} == package


def test_the_wheel_tells_type_checkers_that_it_is_typed(wheel):
    assert "milepost/py.typed" in wheel


def test_the_wheel_holds_the_license(wheel):
    texts = [content for name, content in wheel.items() if name.endswith(".dist-info/licenses/LICENSE")]
    assert texts == [(HOUSE / "LICENSE").read_bytes()]


def test_the_wheel_makes_the_command(wheel):
    (points,) = (content.decode() for name, content in wheel.items() if name.endswith("/entry_points.txt"))
    assert "milepost = milepost.cli:main" in points.splitlines()


def test_only_an_extra_asks_for_a_driver_or_for_pydantic(metadata):
    required = metadata.get_all("Requires-Dist")
    assert metadata.get_all("Provides-Extra") == ["postgres", "validate"]
    assert all("extra == 'postgres'" in each for each in required if each.startswith("psycopg"))
    assert all("extra == 'validate'" in each for each in required if each.startswith("pydantic"))
    assert sorted(each.partition("<")[0].partition(">")[0] for each in required if "extra" not in each) == [
        "click",
        "rich",
    ]


def test_what_is_tested_is_the_package_of_this_checkout(package):
    installed = Path(find_spec("milepost").origin).parent
    inside = Path(sys.prefix) if Path(sys.prefix).name == ".venv-test" else HOUSE / "src"
    assert installed.is_relative_to(inside)
    differ = {name for name in package if (installed.parent / name).read_bytes() != package[name]}
    assert not differ, "edited after the wheel was made: run make test again"


def test_the_command_that_is_tested_answers(package):
    command = Path(sys.executable).parent / "milepost"
    result = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "run" in result.stdout
