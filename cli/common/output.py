"""What a command prints, with `--quiet` and `--json` for all of them.

| | lines (`say`) | problems (`warn`) | `result` |
| --- | --- | --- | --- |
| neither | stdout | stdout | its text on stdout |
| `--quiet` | not shown | stderr | its text on stdout |
| `--json` | stderr | stderr | one JSON object on stdout |
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TextIO

import click
from tqdm import tqdm

from clipsearch.text import printable, printable_lines


@dataclass(slots=True)
class _Mode:
    is_quiet: bool = False
    is_json: bool = False


# One a process: it has one terminal, and its threads write to it, too.
_mode = _Mode()


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the option --quiet."""

    @click.option("--quiet", is_flag=True, help="Print problems only, and no progress.")
    @wraps(command)
    def wrapped(*arguments: Any, quiet: bool, **given: Any) -> Any:
        with output_as(is_quiet=quiet):
            return command(*arguments, **given)

    return wrapped


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options --quiet and --json."""

    @click.option("--quiet", is_flag=True, help="Print problems only, and no progress.")
    @click.option("--json", "as_json", is_flag=True, help="Print the result as a JSON object.")
    @wraps(command)
    def wrapped(*arguments: Any, quiet: bool, as_json: bool, **given: Any) -> Any:
        with output_as(quiet, as_json):
            return command(*arguments, **given)

    return wrapped


@contextmanager
def output_as(is_quiet: bool = False, is_json: bool = False) -> Iterator[None]:
    """Print as these options say until the end of the block."""
    before = _mode.is_quiet, _mode.is_json
    _mode.is_quiet, _mode.is_json = is_quiet, is_json
    try:
        yield
    finally:
        _mode.is_quiet, _mode.is_json = before


def is_quiet() -> bool:
    return _mode.is_quiet


def say(line: str) -> None:
    """A line about the work: progress, or how it ended."""
    if not _mode.is_quiet:
        _write(printable(line), sys.stderr if _mode.is_json else sys.stdout)


def warn(line: str) -> None:
    """A problem that does not end the command, such as a photo that cannot be read."""
    _write(printable(line), sys.stderr if _mode.is_quiet or _mode.is_json else sys.stdout)


def result(figures: Mapping[str, Any], text: str = "") -> None:
    """What was asked for: `figures` with --json, else `text` if there is any."""
    if _mode.is_json:
        _write(json.dumps(figures), sys.stdout)
    elif text:
        _write(printable_lines(text), sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    """Bars are cleared before and drawn again after it."""
    tqdm.write(text, file=stream)
    stream.flush()
