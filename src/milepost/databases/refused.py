"""The error for a commit that a database refuses."""

from __future__ import annotations

from milepost.errors import Fatal


def refused_commit(where: str, said: str) -> Fatal:
    """``said`` is the database's own words. It rolled all of the transaction back."""
    return Fatal(
        f"{where} refused the commit, and nothing of what it was to commit was kept: {said}",
        hint=(
            "What is checked only at the commit, a DEFERRED constraint or trigger, found fault with the rows written. "
            "Check it at once (SET CONSTRAINTS, or IMMEDIATE) to see which, or mend the rows; the same command resumes."
        ),
    )
