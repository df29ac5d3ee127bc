"""`clipsearch search`: asks a running search by words or by a picture."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import click

from cli.common.api import LOCAL, ask
from cli.common.arguments import Number, complete_files
from clipsearch.text import printable

MOST = 100  # photos of one answer


@click.command(
    short_help="Search by words or by a picture.",
    epilog='Example: clipsearch search "a red car" --and snow --not night -n 5',
)
@click.argument("query", shell_complete=complete_files)
@click.option("--and", "also", multiple=True, metavar="TEXT", help="Search by this text, too.")
@click.option(
    "--not", "unwanted", multiple=True, metavar="TEXT", help="Rank photos like this text lower."
)
@click.option("--like", multiple=True, metavar="NAME", help="Search by this indexed photo, too.")
@click.option(
    "-n",
    "count",
    type=Number(1, MOST),
    default=10,
    show_default=True,
    help=f"How many photos, 1 to {MOST}.",
)
@click.option("--paths", is_flag=True, help="Print only the photos' paths below their folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--url", default=LOCAL, show_default=True, help="URL of the search.")
def command(
    query: str,
    also: tuple[str, ...],
    unwanted: tuple[str, ...],
    like: tuple[str, ...],
    count: int,
    paths: bool,
    as_json: bool,
    url: str,
) -> None:
    """Search by QUERY: words, or the path of a picture.

    You may repeat --and, --not and --like: a search has up to 8 terms.
    """
    picture = os.path.expanduser(query)
    parameters = [("q", text) for text in also]
    parameters += [("not", text) for text in unwanted] + [("like", name) for name in like]
    parameters.append(("limit", str(count)))
    if os.path.isfile(picture):  # False, not an error, for words that cannot be a path
        kind, body = _form(Path(picture))
        answer = ask(url, "", parameters, body, kind)
    else:
        answer = ask(url, "", [("q", query), *parameters])
    print(json.dumps(answer) if as_json else "\n".join(_lines(answer["results"], paths)))


def _lines(results: list[dict[str, Any]], only_paths: bool) -> list[str]:
    if only_paths:
        return [printable(result["name"]) for result in results]
    if not results:
        return ["No photos yet. Add some to the folder or bucket, then search again."]
    return [f"{_likeness(result)}  {printable(result['name'])}" for result in results]


def _likeness(result: dict[str, Any]) -> str:
    """The similarity; for several terms the score, because they have no similarity."""
    similarity = result["similarity"]
    return f"{result['score']:5.2f}" if similarity is None else f"{similarity:5.1f}"


def _form(picture: Path) -> tuple[str, bytes]:
    """Content type and body of a form with the picture in the field `image`."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="picture"\r\n\r\n'
    )
    body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
