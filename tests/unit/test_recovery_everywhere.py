"""A job that dies at any call of its store, and is run again, ends as if nothing had happened.

The death is an exception that no step can catch, raised by the store before or after a call took effect; from then on
the store of that run answers nothing. What was durable stays. Negative controls break the engine and must be caught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.jobs import attempt, checkpoint
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.recovery import Decision, decide
from milepost.jobs.runner import run
from milepost.jobs.state import State
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock

SIZE = 2  # items in a batch


class Death(BaseException):
    """The process is gone."""


class MortalStore:
    """A store whose process dies at its call number ``at``, before or after the call took effect."""

    def __init__(self, store: MemoryStore, *, at: int | None, after: bool) -> None:
        self._store = store
        self._at = at
        self._after = after
        self.calls = 0
        self.dead = False

    def __getattr__(self, name: str):
        found = getattr(self._store, name)
        return (lambda *args, **kwargs: self._call(found, *args, **kwargs)) if callable(found) else found

    @contextmanager
    def transaction(self, lease) -> Iterator[None]:
        self._call(lambda: None)
        die_after = False
        with self._store.transaction(lease):
            yield
            self.calls += 1  # the commit is a call as well
            if self.calls == self._at:
                self.dead, die_after = True, True
                if not self._after:
                    raise Death
        if die_after:
            raise Death

    def _call(self, function: Callable, *args, **kwargs):
        if self.dead:
            raise Death
        self.calls += 1
        if self.calls != self._at:
            return function(*args, **kwargs)
        if self._after:
            function(*args, **kwargs)
        self.dead = True
        raise Death


@dataclass(frozen=True)
class Tree:
    """A step: items that it works off in batches, steps that it calls, and what else it does."""

    name: str
    items: int = 0
    children: tuple[Tree, ...] = ()
    has_rollback: bool = False
    once: bool = False
    together: bool = False  # saves in a transaction with a second save


@dataclass
class World:
    """What the steps did to the world outside, and what they saw that must not be."""

    effects: Counter[tuple[str, int]] = field(default_factory=Counter)
    bodies: Counter[str] = field(default_factory=Counter)
    complete: set[str] = field(default_factory=set)
    made: Counter[str] = field(default_factory=Counter)
    deaths: int = 0

    def undo(self, path: str) -> None:
        gone = [key for key in self.effects if key[0] == path or key[0].startswith(f"{path}/")]
        for key in gone:
            del self.effects[key]
        self.complete = {other for other in self.complete if not other.startswith(f"{path}/")}


def body_of(tree: Tree, world: World) -> Callable[[Checkpoint], list]:
    def body(cp: Checkpoint) -> list:
        assert cp.path not in world.complete, f"{cp.path} was complete and ran again"
        world.bodies[cp.path] += 1
        if tree.has_rollback:
            left = [key for key in world.effects if key[0] == cp.path or key[0].startswith(f"{cp.path}/")]
            assert not left, f"{cp.path} ran although {left} had not been rolled back"
            assert cp.position is None
        kept = cp.once("kept", lambda: made(cp.path)) if tree.once else None
        work(tree, cp, world)
        return [tree.name, tree.items, kept is not None, *(call(child, cp, world) for child in tree.children)]

    def made(path: str) -> int:
        world.made[path] += 1
        return world.made[path]

    return body


def work(tree: Tree, cp: Checkpoint, world: World) -> None:
    first = 0 if cp.position is None else cp.position + 1
    for batch in cp.each(range(first, tree.items), size=SIZE, position=lambda item: item):
        world.effects.update((cp.path, item) for item in batch)
    if tree.together:
        with cp.transaction():
            cp.once("together", lambda: 1)
            cp.save(tree.items)


def call(tree: Tree, cp: Checkpoint, world: World) -> object:
    def rollback(cp: Checkpoint) -> None:
        assert cp.recovering
        world.undo(cp.path)

    return cp.call(tree.name, body_of(tree, world), rollback=rollback if tree.has_rollback else None)


def run_once(tree: Tree, store, world: World) -> object:
    return run("job", body_of(tree, world), store=store)


def undisturbed(tree: Tree) -> tuple[object, World, int]:
    store, world = MortalStore(MemoryStore(ManualClock()), at=None, after=False), World()
    return run_once(tree, store, world), world, store.calls


def survives(tree: Tree, deaths: Sequence[tuple[int, bool]]) -> int:
    """Die at each of these calls, one a run; then run to the end and compare. Returns how many deaths there were."""
    expected, untouched, _ = undisturbed(tree)
    kept, world = MemoryStore(ManualClock()), World()
    for at, after in deaths:
        try:
            run_once(tree, MortalStore(kept, at=at, after=after), world)
        except Death:
            world.deaths += 1
        world.complete |= {record.path for record in kept.checkpoints("job") if record.state is State.COMPLETE}
        kept.close()  # the lock of a process that is gone
    assert run_once(tree, kept, world) == expected
    assert set(world.effects) == set(untouched.effects), "work is missing, or left over"
    again = sum(world.effects.values()) - sum(untouched.effects.values())
    assert again <= SIZE * world.deaths, f"{again} items were done again, more than a batch a death"
    assert {record.state for record in kept.checkpoints("job")} == {State.COMPLETE}
    assert {record.path for record in kept.checkpoints("job")} == set(untouched.bodies)
    return world.deaths


TREE = Tree(
    "job",
    children=(
        Tree("a", items=5, once=True),
        Tree(
            "b",
            items=3,
            has_rollback=True,
            together=True,
            children=(Tree("x", items=2), Tree("y", items=1, has_rollback=True, once=True)),
        ),
        Tree("c", children=(Tree("x", items=3, together=True),)),
    ),
)


def dies_everywhere(tree: Tree) -> int:
    """Die once at every call of an undisturbed run, before it and after it, and once again two calls into recovery."""
    calls = undisturbed(tree)[2]
    return sum(
        survives(tree, [(at, after), *second])
        for at in range(1, calls + 1)
        for after in (False, True)
        for second in ([], [(at // 2 + 3, not after)])
    )


def test_a_job_survives_death_at_every_call_of_its_store() -> None:
    calls = undisturbed(TREE)[2]
    assert calls > 40
    assert dies_everywhere(TREE) >= 3 * calls


def trees(depth: int) -> st.SearchStrategy[Tree]:
    flags = {
        "items": st.integers(0, 5),
        "has_rollback": st.booleans(),
        "once": st.booleans(),
        "together": st.booleans(),
    }
    children = st.just(()) if depth == 0 else st.lists(trees(depth - 1), max_size=3).map(tuple)
    return st.builds(Tree, name=st.just("step"), children=children.map(numbered), **flags)


def numbered(children: tuple[Tree, ...]) -> tuple[Tree, ...]:
    return tuple(replace(child, name=f"{child.name}-{place}") for place, child in enumerate(children))


def as_job(tree: Tree) -> Tree:
    return replace(tree, name="job", has_rollback=False)  # a job itself has none


@given(
    tree=trees(2).map(as_job),
    deaths=st.lists(st.tuples(st.integers(1, 80), st.booleans()), max_size=6),
)
def test_any_tree_of_steps_survives_any_deaths(tree: Tree, deaths: list[tuple[int, bool]]) -> None:
    survives(tree, deaths)


# -- negative controls: each breaks the engine in one way, and the search above must notice


def complete_before_the_body(progress, body):
    progress.start()
    progress.session.store.put(progress.session.lease, replace(progress.record, state=State.COMPLETE))
    result = body(progress)
    progress.complete(result)
    return result


def never_roll_back(record, *, has_rollback, reopen=False):
    decision = decide(record, has_rollback=has_rollback, reopen=reopen)
    return Decision.RESUME if decision is Decision.ROLL_BACK else decision


def never_skip(record, *, has_rollback, reopen=False):
    decision = decide(record, has_rollback=has_rollback, reopen=reopen)
    return Decision.RESUME if decision is Decision.SKIP else decision


def save_before_the_body(self, items, *, size, position):
    for first in range(0, len(items), size):
        batch = list(items[first : first + size])
        self.save(position(batch[-1]))
        yield batch


def rollback_that_keeps_the_position(self):
    self._record = replace(self.record, state=State.ROLLED_BACK)
    self.session.store.put(self.session.lease, self.record)


@pytest.mark.parametrize(
    ("place", "name", "broken"),
    [
        (attempt, "_run", complete_before_the_body),
        (attempt, "decide", never_roll_back),
        (attempt, "decide", never_skip),
        (checkpoint.Checkpoint, "each", save_before_the_body),
        (attempt.Progress, "finish_rollback", rollback_that_keeps_the_position),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_engine_is_caught(monkeypatch, place, name, broken) -> None:
    monkeypatch.setattr(place, name, broken)
    with pytest.raises(AssertionError):
        dies_everywhere(TREE)
