"""What can be seen of a source that lives on, and what cannot, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milepost.migration.object import Object
from milepost.migration.table import Rows, Sink

FIND = "milepost verify finds it"


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
        return "updates at its source after a row was read are not seen: no modified column"
    return None


def unseen(objects: Sequence[Object], deletes: str) -> Iterator[str]:
    """What none of the passes could see, or did not do, in a few phrases for the closing summary."""
    read = [each.name for each in objects if not is_countable(each)]
    blind = [each.name for each in objects if is_countable(each) and modified_of(each) is None]
    sent = [each.name for each in objects if isinstance(each.target, Sink)]
    if blind:
        yield f"updates of {_listed(blind)}, which have no modified column"
    if read:
        yield f"changes of {_listed(read)}, whose rows come from a function"
    if sent:
        yield f"rows deleted at the source that {_listed(sent)} had sent"
    elif deletes != "apply":
        yield "rows deleted at the source stay in the target"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
