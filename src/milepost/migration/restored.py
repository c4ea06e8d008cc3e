"""What is said where target or store was put back to an earlier state alone, so that they disagree. Pure."""

from __future__ import annotations

from typing import Any

from milepost.errors import OutOfStep
from milepost.migration.object import Object


def target_behind(each: Object, witness: Any, batches: int) -> OutOfStep:
    """The last row that the checkpoint vouches for is not in the target."""
    return OutOfStep(
        f"{each.name}: its checkpoint is ahead of the target. Batch {batches} is done, and the last row it loaded,"
        f" {_shown(each, witness)}, is not in {each.target.name}: the target was put back to an earlier state, or rows"
        " were deleted, while the store stayed as it was",
        hint="Ways out: put the store of that time back too, start the object again"
        f" (milepost rewind FILE {each.name}), or go on behind what is missing (--accept-changed {each.name}).",
    )


def store_behind(each: Object, first: Any) -> OutOfStep:
    """The rows that come next are in the target already."""
    return OutOfStep(
        f"{each.name}: its checkpoint is behind the target. The rows that come next, from {_shown(each, first)} on, are"
        f" in {each.target.name} already, just as they would be loaded: the store was put back to an earlier state",
        hint="Ways out: put the latest store back, or go on by upsert, which leaves equal rows as they are"
        f" (--accept-changed {each.name}).",
    )


def _shown(each: Object, key: Any) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in zip(each.target_key, key, strict=True))
