"""How a command ends: with an exit code and, if something is wrong, with one line."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable

from cli.common.errors import RunError
from clipsearch.errors import ClipsearchError
from clipsearch.text import printable


def run_command(main: Callable[[], int]) -> int:
    """0: all is there; 1: something failed, or broke down; 2: asked wrongly; 130: Ctrl-C."""
    warnings.simplefilter("ignore")  # Pillow's, about metadata of photos that are shown all right
    logging.getLogger("clipsearch").setLevel(logging.ERROR)  # what is left out is in the report
    try:
        return main()
    except RunError as error:
        say_wrong(error)
        return error.exit_code
    except (ClipsearchError, OSError) as error:
        say_wrong(error)
        return 1
    except KeyboardInterrupt:
        say_wrong("stopped; what is done stays, and the same command goes on where it was")
        return 130


def say_wrong(error: Exception | str) -> None:
    print(f"clipsearch: {one_line(error)}", file=sys.stderr)


def one_line(error: Exception | str) -> str:
    """White space as one space, other controls escaped."""
    return printable(" ".join(str(error).split()))
