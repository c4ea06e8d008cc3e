"""Run the command with streams that say they are a terminal, whatever they are: ARGUMENTS…"""

import io
import os
import sys


class Terminal(io.FileIO):
    def isatty(self) -> bool:
        return True


def writing(descriptor: int, mode: str = "w", *, closefd: bool = True, encoding: str = "utf-8") -> io.TextIOWrapper:
    end = io.BufferedWriter(Terminal(descriptor, mode, closefd=closefd))
    return io.TextIOWrapper(end, encoding=encoding, line_buffering=True)


if __name__ == "__main__":
    sys.stdin = io.TextIOWrapper(io.BufferedReader(Terminal(0, "r", closefd=False)))
    sys.stdout, sys.stderr = writing(1, closefd=False), writing(2, closefd=False)
    os.fdopen = writing  # the command opens its standard output anew for --json
    sys.argv[0] = "__main__.py"
    from milepost.cli import main

    sys.exit(main())
