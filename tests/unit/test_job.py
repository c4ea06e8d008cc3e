"""How a job is declared, and what identifies its steps."""

import threading

import pytest

from milepost.errors import Fatal, PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.job import Job, Step
from milepost.jobs.runner import run
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


def run_job(job: Job, store: MemoryStore) -> object:
    return run(job.name, job.body, store=store)


def paths(store: MemoryStore) -> list[str]:
    return [record.path for record in store.checkpoints("job")]


def test_the_job_of_the_design_runs_and_resumes(store) -> None:
    job = Job("job")
    converted, sent = [], []
    broken = True

    @job.step
    def convert(cp: Checkpoint, workbook: str) -> int:
        converted.append(workbook)
        if broken:
            raise OSError("half converted")
        return len(workbook)

    @convert.rollback
    def _(cp: Checkpoint, workbook: str) -> None:
        converted.remove(workbook)

    @job.step
    def post(cp: Checkpoint, region: str, *, size: int = 2) -> None:
        after = cp.position or 0
        for batch in cp.each(range(after + 1, 6), size=size, position=lambda last: last):
            sent.append((region, batch))
            if region == "APAC" and len(sent) == 4:
                raise OSError("connection dropped")

    @job.main
    def main() -> int:
        rows = convert("sales.xlsx")
        for region in ("EMEA", "APAC"):
            post(region)
        return rows

    with pytest.raises(OSError, match="half converted"):
        run_job(job, store)
    broken = False
    with pytest.raises(OSError, match="connection dropped"):
        run_job(job, store)
    assert run_job(job, store) == 10
    assert converted == ["sales.xlsx"]
    assert sent == [
        *(("EMEA", batch) for batch in ([1, 2], [3, 4], [5])),
        *(("APAC", batch) for batch in ([1, 2], [1, 2], [3, 4], [5])),
    ]
    assert paths(store) == ["", 'convert["sales.xlsx"]', 'post["EMEA"]', 'post["APAC"]']


def named(store: MemoryStore, function, *args, key=None, **kwargs) -> str:
    """The path at which ``function`` runs when it is called as a step with these arguments."""
    job = Job("job")
    step = job.step(key=key)(function)
    job.main(lambda: step(*args, **kwargs))
    run_job(job, store)
    return paths(store)[-1]


def test_identity_is_the_name_and_the_arguments_as_python_binds_them() -> None:
    def post(cp, region=None, limit=5, *rest, size=3, **more):
        return None

    def name(*args, **kwargs):
        return named(MemoryStore(ManualClock()), post, *args, **kwargs)

    assert name() == "post"
    assert name("EMEA") == name(region="EMEA") == 'post["EMEA"]'
    assert name("EMEA", size=5) == 'post["EMEA", size=5]'
    assert name("EMEA", 5, 6) == 'post["EMEA", 5, 6]'
    assert name(limit=1) == "post[limit=1]"
    assert name(z=1, size=2, a=3) == "post[a=3, size=2, z=1]"
    assert name({"b": [1, None, True], "a": 1.5}) == 'post[{"a": 1.5, "b": [1, null, true]}]'
    assert name('a"/ü\n') == 'post["a\\"/ü\\n"]'
    assert len({name(1), name(1.0), name("1"), name(True), name([1])}) == 5  # noqa: FBT003


def test_long_arguments_are_shortened_and_stay_apart() -> None:
    def load(cp, text):
        return None

    names = [named(MemoryStore(ManualClock()), load, "x" * size + end) for size in (197, 198, 5000) for end in "ab"]
    assert len(set(names)) == 6
    assert names[0] == 'load["' + "x" * 197 + 'a"]'
    assert all(len(name) < 206 for name in names[2:])
    assert all("… sha256:" in name for name in names[2:])


@pytest.mark.parametrize("bad", [(1, 2), {1: 2}, object(), float("nan"), {"a": {1}}])
def test_arguments_that_are_not_json_are_refused_before_anything_is_written(store, bad) -> None:
    def load(cp, value, *, option=None):
        raise AssertionError

    with pytest.raises(Fatal, match=r"argument 1 of step load is not JSON(.|\n)*key="):
        named(store, load, bad)
    with pytest.raises(Fatal, match="argument option of step load is not JSON"):
        named(store, load, 1, option=bad)
    assert paths(store) == [""]


def test_key_identifies_a_call_whose_arguments_are_not_json(store) -> None:
    class Order:
        number = 17

    def load(cp, order):
        return order.number

    assert named(store, load, Order(), key=lambda order: order.number) == "load[17]"
    with pytest.raises(Fatal, match="the key of step load is not JSON"):
        named(MemoryStore(ManualClock()), load, Order(), key=lambda order: order)


def test_a_call_with_wrong_arguments_is_python_s_own_error(store) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'region'"):
        named(store, lambda cp, region: None)
    assert paths(store) == [""]


def test_steps_that_call_steps_nest(store) -> None:
    job = Job("job")
    seen = []

    @job.step
    def post(cp, region):
        seen.append(cp.path)
        return region

    @job.step
    def close(cp, month):
        return [post("EMEA"), post("EMEA")]

    @job.main
    def main(cp):
        return [close("2026-10"), post("EMEA")]

    assert run_job(job, store) == [["EMEA", "EMEA"], "EMEA"]
    assert seen == ['close["2026-10"]/post["EMEA"]', 'post["EMEA"]']


def test_a_step_may_call_itself_with_other_arguments_only(store) -> None:
    job = Job("job")

    @job.step
    def count(cp, number, down):
        return [number, *count(number - down, down)] if number else []

    @job.main
    def main():
        assert count(3, 1) == [3, 2, 1]
        count(3, 0)

    with pytest.raises(Fatal, match=r"count\[3, 0\] was called while it is under way"):
        run_job(job, store)


def test_a_step_outside_a_run_says_how_to_test_it() -> None:
    job = Job("job")

    @job.step
    def load(cp, number):
        return number

    with pytest.raises(Fatal, match=r"outside a run(.|\n)*load\.function\(cp, …\)"):
        load(3)
    assert load.function(None, 3) == 3


def test_a_thread_of_the_user_s_own_is_outside_the_run(store) -> None:
    job = Job("job")
    raised = []

    @job.step
    def load(cp):
        raise AssertionError

    @job.main
    def main():
        def work():
            with pytest.raises(Fatal, match="threads of your own"):
                load()
            raised.append(True)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    run_job(job, store)
    assert raised == [True]


def test_a_job_may_run_inside_a_step_of_another(store) -> None:
    outer, inner = Job("job"), Job("inner")

    @inner.step
    def load(cp):
        return cp.path

    inner.main(lambda: load())  # noqa: PLW0108  # a step is no plain function

    @outer.step
    def around(cp):
        return [run("inner", inner.body, store=MemoryStore(ManualClock())), load()]

    outer.main(lambda: around())  # noqa: PLW0108
    assert run_job(outer, store) == ["load", "around/load"]


def test_main_takes_the_checkpoint_of_the_job_or_nothing(store) -> None:
    with_checkpoint, without = Job("job"), Job("other")
    with_checkpoint.main(lambda cp: [cp.path, cp.attempt])
    without.main(lambda: "done")
    assert run_job(with_checkpoint, store) == ["", 1]
    assert run_job(without, store) == "done"


def test_a_rollback_and_a_main_stay_plain_functions() -> None:
    job = Job("job", store="sqlite:///x.db")

    @job.step
    def load(cp):
        return 1

    @load.rollback
    def undo(cp):
        return "undone"

    @job.main
    def main():
        return "main"

    assert (undo(None), main(), load.function(None), load.__name__) == ("undone", "main", 1, "load")
    assert (job.name, job.store, list(job.steps)) == ("job", "sqlite:///x.db", ["load"])
    assert isinstance(load, Step)


def test_a_step_keeps_its_name_when_its_function_is_renamed(store) -> None:
    job = Job("job")

    @job.step(name="load")
    def load_better(cp):
        return 1

    job.main(lambda: load_better())  # noqa: PLW0108
    run_job(job, store)
    assert paths(store) == ["", "load"]


def a_step(cp):
    return None


def generator(cp):
    yield


async def coroutine(cp):
    return None


def nothing():
    return None


def only_named(*, cp):
    return None


def twice(declare) -> None:
    declare(a_step)
    declare(a_step)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda job: twice(job.step), "two steps named a_step"),
        (lambda job: twice(job.main), "two main functions"),
        (lambda job: twice(job.step(a_step).rollback), "two rollbacks"),
        (lambda job: job.step(generator), "coroutine or generator"),
        (lambda job: job.step(coroutine), "coroutine or generator"),
        (lambda job: job.main(generator), "coroutine or generator"),
        (lambda job: job.step(nothing), "takes no checkpoint"),
        (lambda job: job.step(only_named), "takes no checkpoint"),
        (lambda job: job.main(lambda cp, more: None), "more than its checkpoint"),
        (lambda job: job.body(None), "has no main function"),
        (lambda job: job.step(name="a/b")(a_step), "a/b is no name"),
        (lambda job: Job(" "), "has a name"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_at_once(declare, said) -> None:
    with pytest.raises(PlanError, match=said):
        declare(Job("job"))
