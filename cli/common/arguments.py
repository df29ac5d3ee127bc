"""Kinds of arguments that several commands take."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.common.errors import UsageError


class Number(click.ParamType[int]):
    """A whole number from `least` to `most` (None: no limit), in the digits 0 to 9."""

    name = "number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """UsageError for anything else."""
        text = str(value)
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
        if number is None or number < self._least or (self._most and number > self._most):
            option = param.opts[-1] if param else "it"
            raise UsageError(f"{option} is {text!r}; it must be a whole number {self.range}")
        return number

    @property
    def range(self) -> str:
        if self._most is None:
            return f"of {self._least} or more"
        return f"from {self._least} to {self._most:,}"


def complete_folders(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Let the shell complete names of folders."""
    return [CompletionItem(incomplete, type="dir")]


def complete_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Let the shell complete names of files."""
    return [CompletionItem(incomplete, type="file")]
