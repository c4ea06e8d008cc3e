"""What can be seen of a source that lives on, and what cannot, in words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from milepost.migration.object import Object
from milepost.migration.table import Rows, Sink, Table


def is_countable(each: Object) -> bool:
    """Whether the object's source can say how many rows a range holds: a database can, the user's own reader cannot."""
    return not isinstance(each.source, Rows)


def modified_of(each: Object) -> str | None:
    """The source's column that tells when a row was last changed."""
    return None if isinstance(each.source, Rows) else each.source.modified


def unseen_of(each: Object) -> str | None:
    """What a recheck cannot see of this object's source, for its line in the plan; None where it sees all."""
    if not is_countable(each):
        return "changes at its source after it was read are not seen: its rows come from a function"
    if modified_of(each) is None:
        return "rows updated at the source after they were read are not seen: no modified column"
    return None


def unseen(objects: Sequence[Object], deletes: str) -> Iterator[str]:
    """What none of the passes could see, or did not do, in a few phrases for the closing summary."""
    read = [each.name for each in objects if not is_countable(each)]
    blind = [each.name for each in objects if is_countable(each) and modified_of(each) is None]
    sent = [each.name for each in objects if isinstance(each.target, Sink)]
    if blind:
        yield f"changes of {_listed(blind)} that left as many rows as there were: no modified column tells of them"
    if read:
        yield f"changes of {_listed(read)}, whose rows come from a function"
    if sent:
        yield f"rows deleted at the source that {_listed(sent)} had sent"
    elif deletes != "apply":
        yield "rows deleted at the source stay in the target"
    if deletes != "apply" and any(map(_may_take_a_place, objects)):
        yield "of two rows changed to one target key the last loaded stays"


def _may_take_a_place(each: Object) -> bool:
    """Whether a row that is loaded again may take another's place where nobody keeps whose it is."""
    return is_countable(each) and isinstance(each.target, Table) and not each.is_mapped and each.on_duplicate != "last"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def as_of_in_words(
    at: str | None, objects: Sequence[Object] = (), deletes: str = "apply", closed: Collection[str] = frozenset()
) -> str:
    """The closing line: as of when the target is right, and what nobody looked for. ``at`` None: nobody looked.

    ``closed`` are objects whose sources could not be asked.
    """
    if at is None:
        return "what came to the source or changed there after it was read was not looked for"
    looked_at = [each for each in objects if each.name not in closed]
    gone = (
        [f"whatever changed at the source of {_listed(sorted(closed))}, which is gone or another one"] if closed else []
    )
    cannot = "; ".join([*gone, *unseen(looked_at, deletes)])
    when = datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"the target is right as of {when}" + (
        f", but for: {cannot} (milepost verify finds these)" if cannot else ""
    )
