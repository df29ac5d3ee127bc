"""`clipsearch status`: prints what a search says about its index."""

from __future__ import annotations

import json
from typing import Any

import click

from cli.common.api import LOCAL, ask
from clipsearch.text import printable


@click.command(
    short_help="Print what a search says about its index.",
    epilog="Example: clipsearch status --json",
)
@click.argument("url", default=LOCAL)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(url: str, as_json: bool) -> None:
    """Print what the search at URL says about its index.

    Without URL it asks the search of clipsearch run.
    """
    status = ask(url, "status")
    print(json.dumps(status) if as_json else "\n".join(map(printable, lines_of(status))))


def lines_of(status: dict[str, Any]) -> list[str]:
    photos, reconciled = status["photos"], status["reconciled"]
    lines = [
        f"model       {status['model']} (space {status['space']})",
        f"indexed     {photos['indexed']:,}",
        f"failed      {photos['failed']:,}",
        f"skipped     {photos['skipped']:,}",
        f"pending     {_known(photos['pending'])}",
        f"in bucket   {_known(photos['objects'])}",
        f"updated     {status['updated'] or 'never'}, commit {status['commit']}",
        f"reconciled  {reconciled['at'] if reconciled else 'never'}",
    ]
    if refused := status.get("refused_model"):
        lines.append(f"refused     model {refused['space']}: {refused['reason']}")
    for failure in status["failures"]:
        lines.append(f"cannot be indexed: {failure['name']}: {failure['reason']} ({failure['at']})")
    if photos["failed"] > len(status["failures"]):
        lines.append(f"… and {photos['failed'] - len(status['failures'])} more")
    for damaged in status["damaged"]:
        lines.append(f"damaged: {damaged['object']}: {damaged['reason']}")
    return lines


def _known(number: int | None) -> str:
    return "unknown before the first reconcile" if number is None else f"{number:,}"
