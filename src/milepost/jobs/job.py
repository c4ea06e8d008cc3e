"""How a user declares a job: its steps and its main function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from milepost.errors import Fatal, PlanError
from milepost.jobs.checkpoint import Checkpoint, active, under_way
from milepost.jobs.identity import named_by_arguments, named_by_key
from milepost.jobs.parameters import Parameters
from milepost.jobs.state import JSON

P = ParamSpec("P")
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])

ENDLESS: tuple[Callable[[Any], bool], ...] = (
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)


class Step(Generic[P, R]):
    """A named piece of a job. Calling it inside a run runs it under its own checkpoint, or skips it if complete.

    Its identity is its name and its arguments as Python binds them (``post("EMEA")`` and ``post(region="EMEA")`` are
    one), or what ``key=`` gives for them, within the step that called it. Called again with the same, it returns
    the recorded result.
    """

    def __init__(
        self, function: Callable[Concatenate[Checkpoint, P], R], *, name: str, key: Callable[P, JSON] | None
    ) -> None:
        self.function = function
        self.name = name
        self._key = key
        self.undo: Callable[Concatenate[Checkpoint, P], object] | None = None
        self._signature = _without_checkpoint(function, name)
        self._placed = _placed(self._signature)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        checkpoint = active()
        if checkpoint is None:
            raise Fatal(
                f"step {self.name} was called outside a run (a run does not reach into threads of your own)",
                hint=f"Start the job with run(). To test the step, call {self.name}.function(cp, …) itself.",
            )
        name = self._identity(*args, **kwargs)
        if name in checkpoint.names:
            raise under_way(name)
        undo = self.undo

        def body(cp: Checkpoint) -> JSON:
            return self.function(cp, *args, **kwargs)

        def rollback(cp: Checkpoint) -> None:
            if undo is not None:
                undo(cp, *args, **kwargs)

        return cast("R", checkpoint.call(name, body, rollback=None if undo is None else rollback))

    def rollback(self, function: Callable[Concatenate[Checkpoint, P], object]) -> Any:
        """Decorate the function that undoes a half-done attempt of this step, and of everything below it.

        When the step is met again and did not complete, ``function(cp, …)`` runs first, with the step's arguments;
        ``cp.position`` and ``cp.failure`` tell how far it came and why it ended. It is durable: killed in it, or
        failed, it runs again before anything else, so it must bear being run twice. When it returns, one commit
        forgets the step's position, batches, remembered values and everything below it, and the step begins afresh
        (``cp.recovering`` still True). Rollbacks of steps below are not called: theirs is undone by this one.

        Returns ``function``, so that it can be tested by calling it.
        """
        if self.undo is not None:
            raise PlanError(f"step {self.name} has two rollbacks", hint="Remove one of them.")
        self.undo = function
        return function

    def _identity(self, *args: P.args, **kwargs: P.kwargs) -> str:
        if not kwargs and self._key is None and len(args) in self._placed:
            return named_by_arguments(self.name, args, {})
        bound = self._signature.bind(*args, **kwargs)  # a TypeError as for any function, before anything is written
        if self._key is not None:
            return named_by_key(self.name, self._key(*args, **kwargs))
        return named_by_arguments(self.name, bound.args, bound.kwargs)


class Job:
    """What is to be done, under a name that lasts: steps, and a main function that calls them.

    ``store`` is the URL of the place that remembers it; None means ``NAME.milepost.db`` beside the file.
    ``parameters`` declares by name what it may be told when it is started (``-p name=value``): texts, with their
    defaults (None: it must be given). Its first run pins them.
    """

    def __init__(
        self, name: str, *, store: str | None = None, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        if not name.strip():
            raise PlanError("a job has a name that lasts", hint='Write Job("month-end").')
        self.name = name
        self.store = store
        self.parameters = Parameters(name, parameters)
        self.steps: dict[str, Step[..., Any]] = {}
        self._main: Callable[..., Any] | None = None

    @overload
    def step(self, function: Callable[Concatenate[Checkpoint, P], R]) -> Step[P, R]: ...

    @overload
    def step(
        self, *, key: Callable[..., JSON] | None = None, name: str | None = None
    ) -> Callable[[Callable[Concatenate[Checkpoint, P], R]], Step[P, R]]: ...

    def step(self, function: Any = None, *, key: Callable[..., JSON] | None = None, name: str | None = None) -> Any:
        """Declare a step: ``@job.step``, or ``@job.step(key=…)`` with a function of arguments that are not JSON.

        ``name`` is the function's own unless given; give it to rename a function whose job is half done.
        """

        def declare(function: Callable[..., Any]) -> Step[..., Any]:
            step: Step[..., Any] = Step(function, name=name or function.__name__, key=key)
            if "/" in step.name:
                raise PlanError(f"{step.name} is no name for a step: / parts a path", hint="Leave it out.")
            if step.name in self.steps:
                raise PlanError(f"job {self.name} has two steps named {step.name}", hint="Rename one of them.")
            self.steps[step.name] = step
            return step

        return declare if function is None else declare(function)

    def main(self, function: Function) -> Function:
        """Declare the function that the job runs. It takes the job's own checkpoint, or nothing."""
        if self._main is not None:
            raise PlanError(f"job {self.name} has two main functions", hint="Remove one of them.")
        _refuse_endless(function, f"the main function of job {self.name}")
        if len(inspect.signature(function).parameters) > 1:
            raise PlanError(
                f"the main function of job {self.name} takes more than its checkpoint",
                hint="Take parameters from the environment or a file, and keep them with cp.once.",
            )
        self._main = function
        return function

    @property
    def file(self) -> Path | None:
        """The file in which the main function stands; None where it stands in none."""
        path = None if self._main is None else Path(self._main.__code__.co_filename)
        return path.resolve() if path is not None and path.is_file() else None

    def body(self, cp: Checkpoint) -> JSON:
        """Run the main function under the job's own checkpoint. Raises PlanError if none was declared."""
        if self._main is None:
            raise PlanError(f"job {self.name} has no main function", hint="Decorate one with @job.main.")
        return self._main(cp) if inspect.signature(self._main).parameters else self._main()


def _without_checkpoint(function: Callable[..., Any], name: str) -> inspect.Signature:
    _refuse_endless(function, f"step {name}")
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if not parameters or parameters[0].kind not in {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    }:
        raise PlanError(
            f"step {name} takes no checkpoint", hint=f"Give it one as its first parameter: def {name}(cp, …)."
        )
    return signature.replace(parameters=parameters[1:])


def _placed(signature: inspect.Signature) -> range:
    """How many arguments can be given by place alone: then they are bound as they stand."""
    kinds = inspect.Parameter
    least = most = 0
    for parameter in signature.parameters.values():
        if parameter.kind is kinds.VAR_POSITIONAL:
            most = sys.maxsize - 1
        elif parameter.kind is kinds.KEYWORD_ONLY and parameter.default is kinds.empty:
            return range(0)
        elif parameter.kind in {kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD}:
            most += 1
            least += parameter.default is kinds.empty
    return range(least, most + 1)


def _refuse_endless(function: Callable[..., Any], what: str) -> None:
    if any(test(function) for test in ENDLESS):
        raise PlanError(f"{what} is a coroutine or generator function", hint="Return a value; batches are cp.each's.")
