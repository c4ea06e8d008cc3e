"""A migration: a job that moves objects, as the user declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from milepost.errors import PlanError
from milepost.jobs.parameters import Parameters
from milepost.migration.object import Object, Restructure, declared_parents
from milepost.migration.table import Query, Rows, Sink, Table

BATCH_ROWS = 25_000
Parents = Mapping[str, Object | str] | Mapping[tuple[str, ...], Object | str] | Mapping[Any, Object | str]
Hook = TypeVar("Hook", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class OwnStep:
    """The user's own step of a migration: run before all objects, after one of them, or after all."""

    name: str
    function: Callable[..., Any]
    after: Object | None = None


class Migration:
    """What is to be moved, under a name that lasts.

    ``source`` and ``target`` are URLs as SQLAlchemy writes them; ``${NAME}`` in one is taken from the environment.
    ``store`` None: in the target's database. ``max_rejects`` is a number of rows or a share such as "2%", for each
    object; by default the first reject stops the run. ``batch_rows`` is the most rows that are committed together.
    ``recheck_after`` and ``deletes`` say how a source that changed during a pause is treated. ``parameters`` declares
    by name what it may be told when it is started (``-p name=value``): texts, with their defaults (None: it must be
    given). The first run pins them, as it does ``cp.now``, so that a resumed run stamps the same values.
    """

    def __init__(
        self,
        name: str,
        *,
        source: str | None = None,
        target: str | None = None,
        store: str | None = None,
        max_rejects: int | str = 0,
        batch_rows: int = BATCH_ROWS,
        recheck_after: str = "10m",
        deletes: str = "report",
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.target = target
        self.store = store
        self.max_rejects = max_rejects
        self.batch_rows = batch_rows
        self.recheck_after = recheck_after
        self.deletes = deletes
        self.parameters = Parameters(name, parameters)
        self.objects: list[Object] = []
        self.first: list[OwnStep] = []
        self.between: list[OwnStep] = []
        self.last: list[OwnStep] = []

    @overload
    def object(
        self,
        name: str,
        /,
        *,
        source: Table | Query | Rows,
        target: Table | Sink,
        parents: Parents | None = None,
        columns: Mapping[str, str] | None = None,
        takes: str = "row",
        validate: Any = None,
        on_duplicate: str = "reject",
        max_rejects: int | str | None = None,
    ) -> Object: ...
    @overload
    def object(
        self,
        /,
        *,
        source: Table | Query | Rows,
        target: Table | Sink,
        parents: Parents | None = None,
        columns: Mapping[str, str] | None = None,
        takes: str = "row",
        validate: Any = None,
        on_duplicate: str = "reject",
        max_rejects: int | str | None = None,
    ) -> Callable[[Restructure], Object]: ...
    def object(
        self,
        name: str | None = None,
        /,
        *,
        source: Table | Query | Rows,
        target: Table | Sink,
        parents: Parents | None = None,
        columns: Mapping[str, str] | None = None,
        takes: str = "row",
        validate: Any = None,
        on_duplicate: str = "reject",
        max_rejects: int | str | None = None,
    ) -> Object | Callable[[Restructure], Object]:
        """Declare an object: decorate its restructure function, or give a name for a plain copy.

        The function is given a row as a dict and returns a dict, None (the row is filtered), a list of dicts (it is
        split), or raises Reject. With a second parameter it is given the object's checkpoint.
        ``columns`` maps target to source columns of a plain copy; without it every source column goes under its own
        name. Raises PlanError for a name that is taken and for settings that no object can have.
        """

        def declare(object_name: str, function: Restructure | None) -> Object:
            declared = Object(
                name=object_name,
                source=source,
                target=target,
                function=function,
                declared=declared_parents(parents, object_name),
                siblings=self.objects,
                columns=columns,
                takes=takes,
                validate=validate,
                on_duplicate=on_duplicate,
                max_rejects=max_rejects,
            )
            self._take_name(object_name)
            self.objects.append(declared)
            return declared

        if name is not None:
            return declare(name, None)
        return lambda function: declare(function.__name__, function)

    def before(self, function: Hook) -> Hook:
        """Decorate a step that runs before the first object, once."""
        self.first.append(self._own_step(function))
        return function

    def after(self, function: Hook) -> Hook:
        """Decorate a step that runs after the last object, once."""
        self.last.append(self._own_step(function))
        return function

    def step(self, *, after: Object) -> Callable[[Hook], Hook]:
        """Decorate a step that runs once ``after`` is complete. Raises PlanError if that is no object of this."""

        if after not in self.objects:
            raise PlanError(
                f"{self.name}: a step is to run after {getattr(after, 'name', after)!r}, which is no object of it",
                hint="Give the decorated function itself: @crm.step(after=customer).",
            )

        def declare(function: Hook) -> Hook:
            self.between.append(self._own_step(function, after))
            return function

        return declare

    def _own_step(self, function: Callable[..., Any], after: Object | None = None) -> OwnStep:
        self._take_name(function.__name__)
        return OwnStep(name=function.__name__, function=function, after=after)

    def _take_name(self, name: str) -> None:
        if not name or "/" in name:
            raise PlanError(f"{self.name}: {name!r} cannot be the name of an object or step", hint="Leave out the /.")
        steps = [*self.first, *self.between, *self.last]
        if name in {declared.name for declared in self.objects} | {step.name for step in steps}:
            raise PlanError(f"{self.name} has two objects or steps called {name}", hint="Rename one of them.")
