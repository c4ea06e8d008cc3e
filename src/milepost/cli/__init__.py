"""The command. Everything it shows is drawn from events and from the store; nothing here writes rows."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``milepost`` with ``arguments`` (default: the process's own); the exit status."""
    from milepost.cli.carry_out import carry_out

    return carry_out(arguments)
