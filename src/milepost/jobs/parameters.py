"""What a job is told when it is started: texts by name, settled by its first run and the same in every run after it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from milepost.errors import PlanError, mask
from milepost.jobs.state import JSON

NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
PARAMETERS = "parameters"  # under which name the job's root remembers them


class Parameters(Mapping[str, str]):
    """The parameters of one job, for reading: the declared defaults, and once a run has settled them their values.

    ``declared`` maps each name to its default; None: it has none, and must be given. Raises PlanError for what is no
    text, and for what looks like a secret: parameters are kept in the store, and shown.
    """

    def __init__(self, job: str, declared: Mapping[str, str | None] | None) -> None:
        self.job = job
        self.declared = dict(declared or {})
        self._values: dict[str, str] | None = None
        self._read_early: dict[str, str] = {}
        for name, value in self.declared.items():
            _check(job, name, value)

    def __getitem__(self, name: str) -> str:
        """The value. Raises KeyError for a name that is not declared, PlanError where it has no value yet."""
        if self._values is not None:
            return self._values[name]
        value = self.declared[name]
        if value is None:
            raise PlanError(
                f"{self.job}: the parameter {name} was asked for before it had a value",
                hint=f"It is given by -p {name}=VALUE. Read it in a function that the run calls, not while the file is"
                " loaded.",
            )
        self._read_early[name] = value
        return value

    def __contains__(self, name: object) -> bool:
        return name in self.declared

    def __iter__(self) -> Iterator[str]:
        return iter(self.declared)

    def __len__(self) -> int:
        return len(self.declared)

    def __repr__(self) -> str:
        return f"Parameters({self._values or self.declared})"

    def settle(self, given: Mapping[str, str], pinned: JSON = None) -> dict[str, str]:
        """Take the values of this run, and return them: ``pinned`` by an earlier run (None: by none), else ``given``.

        Else the defaults; a parameter that was not declared when they were pinned likewise. Raises PlanError for a name
        that is not declared, for one that has no value, and for a value other than the pinned one.
        """
        self._refuse_unknown(given)
        before = {name: value for name, value in (pinned or {}).items() if name in self.declared}
        values = {**self.declared, **given, **before}
        for name, value in given.items():
            _check(self.job, name, value)
            if values[name] != value:
                raise _other_value(self.job, name, value, str(values[name]))
        settled = {name: value for name, value in values.items() if value is not None}
        self._refuse_missing(settled)
        self._refuse_read_early(settled)
        self._values = settled
        return {**(pinned or {}), **settled}

    def _refuse_unknown(self, given: Mapping[str, str]) -> None:
        for name in given:
            if name not in self.declared:
                near = difflib.get_close_matches(name, self.declared, n=1) or list(self.declared)
                known = f"Did you mean {', '.join(near)}?" if near else f"Leave out -p {name}=…."
                raise PlanError(f"{self.job} declares no parameter {name}", hint=known)

    def _refuse_missing(self, settled: Mapping[str, str]) -> None:
        missing = [name for name in self.declared if name not in settled]
        if missing:
            raise PlanError(
                f"{self.job}: the parameter {', '.join(missing)} has no value",
                hint=f"Give it: {' '.join(f'-p {name}=VALUE' for name in missing)}.",
            )

    def _refuse_read_early(self, settled: Mapping[str, str]) -> None:
        """What was made of a default while the file was loaded would stay so, silently."""
        for name, early in self._read_early.items():
            if settled[name] != early:
                raise PlanError(
                    f"{self.job}: the parameter {name} is {settled[name]!r}, and was read before that was known, as"
                    f" {early!r}",
                    hint="Read it in a function that the run calls, not while the file is loaded.",
                )


def _check(job: str, name: str, value: object) -> None:
    if not isinstance(name, str) or not name or "=" in name:
        raise PlanError(
            f"{job}: {name!r} is no name for a parameter", hint='Write parameters={"cutoff": "2026-01-01"}.'
        )
    if value is not None and not isinstance(value, str):
        raise PlanError(
            f"{job}: the parameter {name} is {value!r}, and parameters are texts",
            hint=f'Write "{value}", and make of it what you need where you use it.',
        )
    if value is not None and mask(f"{name}={value}") != f"{name}={value}":
        raise PlanError(
            f"{job}: the parameter {name} looks like a secret, and parameters are kept in the store and shown",
            hint="Take it from the environment where it is used; in a URL, ${NAME} does.",
        )


def _other_value(job: str, name: str, given: str, pinned: str) -> PlanError:
    return PlanError(
        f"{job}: the parameter {name} is given as {given!r}, and the job was started with {pinned!r}",
        hint=f"Leave it out to go on with {pinned!r}; to begin with another value, start the whole job again"
        " (milepost rewind FILE .).",
    )
