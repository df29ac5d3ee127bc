"""The command `clipsearch`: its commands, its version, and how it ends.

Each command is the attribute `command` of its module. The module is imported when it is needed.
"""

from __future__ import annotations

import difflib
import importlib
import io
import sys
from collections.abc import Sequence

import click

from cli.common.command import run_command
from cli.common.errors import UsageError
from clipsearch.version import __version__

COMMANDS = {
    "run": "cli.run.options",
    "search": "cli.search",
    "status": "cli.status",
    "duplicates": "cli.duplicates.options",
    "reconcile": "cli.reconcile.options",
    "embed": "cli.embed.options",
    "switch": "cli.switch.options",
    "mirror": "cli.mirror.options",
    "copy-index": "cli.copy_index.options",
    "upload": "cli.upload.options",
    "coco": "cli.coco.options",
    "evaluate": "cli.evaluate.options",
    "export": "cli.export",
    "models": "cli.models",
    "costs": "cli.costs.options",
}


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        is_asked = not ctx.resilient_parsing  # the shell completes: no errors then
        if is_asked and args and args[0] not in COMMANDS and not args[0].startswith("-"):
            alike = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean {alike[0]!r}?" if alike else "see clipsearch --help"
            raise UsageError(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)


@click.version_option(__version__, prog_name="clipsearch")
@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: clipsearch run ~/Pictures",
)
def clipsearch() -> None:
    """Search a bucket or a folder of photos by words or by a picture."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; run_command has their meanings."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a Windows code page lacks some letters
            stream.reconfigure(errors="backslashreplace")
    given = None if arguments is None else list(arguments)
    return run_command(lambda: clipsearch.main(given, "clipsearch", standalone_mode=False))
