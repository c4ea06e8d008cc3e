"""Find the job that FILE names: a Python file, FILE:NAME, or module:name."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from milepost.databases.url import hide_password
from milepost.errors import MilepostError, PlanError
from milepost.jobs.job import Job
from milepost.migration.migration import Migration
from milepost.wiring.frames import users_frames
from milepost.wiring.load import being_loaded

AnyJob: TypeAlias = Job | Migration


def find(reference: str) -> AnyJob:
    """The job that the command's FILE names.

    Raises PlanError where there is no such file, it cannot be imported, or holds no or several jobs.
    """
    if "://" in reference:
        raise PlanError(
            f"{hide_password(reference)} is a URL, where the job's file is wanted",
            hint="URLs are given by --source, --target and --store.",
        )
    place, name = split(reference)
    module = _import_file(Path(place)) if _is_file_name(place) else _import_module(place)
    return choose(jobs_in(module), name, place)


def split(reference: str) -> tuple[str, str | None]:
    """FILE and NAME; NAME is None where only a file is given. A file whose name holds a colon is taken as it is."""
    if Path(reference).is_file():
        return reference, None
    place, colon, name = reference.rpartition(":")
    return (place, name or None) if colon and place else (reference, None)


def jobs_in(module: ModuleType) -> dict[str, AnyJob]:
    """The jobs of a module by the names of the variables that hold them; one of two names for the same job."""
    found: dict[str, AnyJob] = {}
    for name, value in vars(module).items():
        if isinstance(value, Job | Migration) and not any(value is job for job in found.values()):
            found[name] = value
    return found


def choose(jobs: dict[str, AnyJob], name: str | None, place: str) -> AnyJob:
    """The one job, or the one that is named (by its variable, or by the job's own name). Raises PlanError."""
    if name is not None:
        named = [job for variable, job in jobs.items() if name in (variable, job.name)]
        if named:
            return named[0]
        near = difflib.get_close_matches(name, jobs) or list(jobs)
        raise PlanError(
            f"{place} holds no job called {name}",
            hint=f"It holds {', '.join(near)}." if near else "It holds no job at all. " + _HOW,
        )
    if not jobs:
        raise PlanError(f"{place} holds no job", hint=_HOW)
    if len(jobs) > 1:
        several = ", ".join(f"{place}:{variable}" for variable in jobs)
        raise PlanError(f"{place} holds several jobs", hint=f"Name one of them: {several}.")
    return next(iter(jobs.values()))


_HOW = 'A migration is declared by name = Migration("name", …); milepost init writes one to start from.'


def _is_file_name(place: str) -> bool:
    return place.endswith(".py") or "/" in place or Path(place).exists()


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        near = difflib.get_close_matches(path.name, [each.name for each in path.parent.glob("*.py")])
        raise PlanError(f"the file {path} {what}", hint=f"Did you mean {path.parent / near[0]}?" if near else _WHERE)
    sys.path.insert(0, str(path.resolve().parent))
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise PlanError(f"{path} is not a Python file", hint="Its name has to end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    _guarded(str(path), lambda: loader.exec_module(module))
    return module


_WHERE = "Check the name; a relative one starts from the folder you are in."


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        known = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        known = False
    if not known:
        raise PlanError(
            f"there is neither a file nor a module called {name}",
            hint="Give a Python file (crm.py), or a module and the job's name in it (package.module:crm).",
        )
    found: list[ModuleType] = []
    _guarded(name, lambda: found.append(importlib.import_module(name)))
    return found[0]


def _module_name(path: Path) -> str:
    """The file's own name, unless a module of that name is in use (a user's file may be called json.py)."""
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    return f"milepost_file_{path.stem}" if taken else path.stem


def _guarded(place: str, run: object) -> None:
    """Import; whatever the user's file raises becomes a PlanError that points to the user's own line."""
    loading = being_loaded.set(True)
    try:
        run()  # type: ignore[operator]
    except SyntaxError as error:
        raise PlanError(f"{error.filename or place}, line {error.lineno}: {error.msg}", hint=_pointed(error)) from None
    except SystemExit as error:
        raise PlanError(
            f"{place} ended the program while it was being loaded",
            hint='Put what runs something under if __name__ == "__main__":',
        ) from error
    except MilepostError as error:
        raise PlanError(error.message, hint=error.hint) from error
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        if not list(users_frames(error)):
            what += " (no line of yours was running)"
        raise PlanError(f"{place} cannot be loaded: {what}") from error
    finally:
        being_loaded.reset(loading)


def _pointed(error: SyntaxError) -> str | None:
    """The line at fault with a mark below it."""
    if not error.text:
        return None
    line = error.text.rstrip("\n")
    return f"    {line}\n    {' ' * max((error.offset or 1) - 1, 0)}^"
