"""Compare source and target, and show what differs: the command ``verify``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from milepost.cli.asked import Asked
from milepost.cli.explain import COMPLETE, FAILED
from milepost.cli.human import key, number, placed, rows, value
from milepost.cli.lines import write_line
from milepost.cli.run import draw
from milepost.errors import PlanError
from milepost.migration.findings import Example, Findings, Kind
from milepost.migration.migration import Migration
from milepost.migration.verified import Verified, VerifiedObject
from milepost.wiring.find import split
from milepost.wiring.verify import verify

NUMBERS = ("read", "equal", "missing", "differing", "extra", "refused", "rejected", "filtered")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The options of the command."""

    repair: bool
    sample: float | None
    seed: int | None
    only: str | None
    limit: int


def verify_and_tell(asked: Asked, choice: Choice) -> int:
    """Carry it out; the exit status. Raises PlanError for a job that is no migration."""
    job = asked.load()
    if not isinstance(job, Migration):
        raise PlanError(f"{job.name} is a job of your own steps: it has no source and target to compare")
    act = partial(
        verify,
        job,
        urls=asked.urls,
        repair=choice.repair,
        sample=choice.sample,
        seed=choice.seed,
        only=choice.only,
        most=choice.limit,
        parameters=asked.parameters,
        beside=_folder_of(asked.reference),
    )
    _, status, found = draw(job, act, urls=asked.urls, out=asked.out, lines=False)
    if found is None:
        return status
    if asked.out is not None:
        write_line(asked.out, as_document(found))
    else:
        _draw(found)
    return COMPLETE if found.ok else FAILED


def as_document(found: Verified) -> dict[str, Any]:
    """What was found as JSON. The fields are part of the public face."""
    return {
        "job": found.job,
        "ok": found.ok,
        "sample": found.sample,
        "seed": found.seed,
        "repaired": found.repaired,
        "objects": [_object(each) for each in found.objects],
    }


def _object(each: VerifiedObject) -> dict[str, Any]:
    left = None if each.left is None else _numbers(each, each.left)
    return {
        "object": each.name,
        "ok": each.ok,
        "compared": each.compared,
        **_numbers(each, each.found),
        "left": left,
        "notes": list(each.notes),
    }


def _numbers(each: VerifiedObject, found: Findings) -> dict[str, Any]:
    numbers = {name: getattr(found, name) for name in NUMBERS}
    numbers["extra"] = found.extra if each.extra_known else None
    return {**numbers, "examples": [asdict(one) for one in found.examples]}


def _folder_of(reference: str) -> Path:
    """The folder of the job's file; the present one for a module."""
    file = Path(split(reference)[0])
    return file.resolve().parent if file.is_file() else Path()


def _draw(found: Verified) -> None:
    from milepost.cli.tables import console, show, table

    screen = console()
    refused = any(each.found.refused for each in found.objects)
    names = [name for name in NUMBERS if name != "refused" or refused]
    drawn = table("path:object", *names, drop=["filtered", "rejected", "read"])
    for each in found.objects:
        drawn.add_row(each.name, *_cells(each, names))
    show(screen, drawn)
    screen.print()
    for line in _lines(found):
        screen.print(line, soft_wrap=True)


def _cells(each: VerifiedObject, names: Sequence[str]) -> list[str]:
    if not each.compared:
        return []
    cells = {name: number(getattr(each.found, name)) for name in names}
    return list((cells if each.extra_known else {**cells, "extra": "?"}).values())


def _lines(found: Verified) -> Iterator[str]:
    """What differs, what was not looked at, and what it comes to."""
    for each in found.objects:
        for one in each.found.examples:
            yield f"{each.name}: {in_words(one)}"
        for note in each.notes:
            yield placed(each.name, note)
        if each.left is not None and each.found.differs:
            yield f"{each.name}: {_repaired(each)}"
            for one in each.left.examples:
                yield f"{each.name}: still {in_words(one)}"
    yield _verdict(found)


def in_words(one: Example) -> str:
    """``differing, key 42: name is 'Ada', should be 'Ida'``."""
    where = f"key {key(one.key)}" if one.key is not None else f"target key {key(one.target_key)}"
    also = "" if one.key is None or one.target_key in (None, one.key) else f" (target key {key(one.target_key)})"
    columns = "; ".join(
        f"{name} is {_shown(is_now)}, should be {_shown(should)}" for name, (is_now, should) in one.columns.items()
    )
    said = ": ".join(filter(None, (columns, one.reason)))
    return f"{one.kind}, {where}{also}{': ' if said else ''}{said}"


def _shown(content: Any) -> str:
    return "NULL" if content is None else value(content)


def _repaired(each: VerifiedObject) -> str:
    before, now = (_wrong(one) for one in (each.found, each.now))
    mended = [f"{rows(before - now)} repaired"] if now < before else []
    return ", ".join([*mended, *([f"{rows(now)} still wrong"] if now else [])])


def _wrong(found: Findings) -> int:
    return found.missing + found.differing + found.extra + found.refused


def _verdict(found: Verified) -> str:
    looked = rows(sum(each.found.read for each in found.objects))
    kinds = {kind: sum(getattr(each.now, kind) for each in found.objects) for kind in Kind}
    wrong = ", ".join(f"{number(count)} {kind}" for kind, count in kinds.items() if count) or "nothing differs"
    sample = "" if found.sample is None else f" (a sample of {found.sample:.3g} of them, seed {found.seed})"
    missed = ", ".join(each.name for each in found.objects if not each.whole)
    but = f"; not all was compared: {missed}" if missed else ""
    return f"{found.job}: {looked} compared{sample}, {wrong}{but}"
