"""How a command ends: with an exit code and, if something is wrong, with one line."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable

import click

from cli.common.errors import RunError, reason_of
from clipsearch import telemetry
from clipsearch.errors import ClipsearchError
from clipsearch.text import printable

PREFIX = "clipsearch: "  # of the line that says what is wrong


def run_command(work: Callable[[], int | None]) -> int:
    """The exit code. 0: done; 1: something failed; 2: it cannot do what was asked; 130: Ctrl-C."""
    warnings.simplefilter("ignore")  # Pillow's, about metadata of photos that it reads all the same
    telemetry.to_terminal()
    try:
        return work() or 0
    except RunError as error:
        say_wrong(error)
        return error.exit_code
    except click.ClickException as error:  # a wrong option or argument
        say_wrong(_sentence(error))
        return error.exit_code
    except (ClipsearchError, OSError) as error:
        say_wrong(reason_of(error))
        return 1
    except (KeyboardInterrupt, click.Abort):
        say_wrong("stopped; the same command continues")
        return 130


def quiet_logs() -> None:
    """For a command that reports skipped files itself: show errors in the log only."""
    logging.getLogger("clipsearch").setLevel(logging.ERROR)


def say_wrong(error: Exception | str) -> None:
    print(f"{PREFIX}{one_line(error)}", file=sys.stderr)


def one_line(error: Exception | str) -> str:
    """White space becomes one space; other control characters are escaped."""
    return printable(" ".join(str(error).split()))


def _sentence(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        alike = " or ".join(sorted(error.possibilities))
        return f"no such option {error.option_name!r}; did you mean {alike}?"
    text = error.format_message()
    context = getattr(error, "ctx", None)
    help_ = f"; see {context.command_path} --help" if context else ""
    return f"{text[:1].lower()}{text[1:].rstrip('.')}{help_}"
