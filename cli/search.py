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
    epilog='Example: clipsearch search "a red car at night" -n 5',
)
@click.argument("query", shell_complete=complete_files)
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
def command(query: str, count: int, paths: bool, as_json: bool, url: str) -> None:
    """Search by QUERY: words, or the path of a picture."""
    picture = os.path.expanduser(query)
    if os.path.isfile(picture):  # False, not an error, for words that cannot be a path
        kind, body = _form(Path(picture))
        answer = ask(url, "", {"limit": count}, body, kind)
    else:
        answer = ask(url, "", {"q": query, "limit": count})
    print(json.dumps(answer) if as_json else "\n".join(_lines(answer["results"], paths)))


def _lines(results: list[dict[str, Any]], only_paths: bool) -> list[str]:
    if only_paths:
        return [printable(result["name"]) for result in results]
    if not results:
        return ["No photos yet. Add some to the folder or bucket, then search again."]
    return [f"{result['similarity']:5.1f}  {printable(result['name'])}" for result in results]


def _form(picture: Path) -> tuple[str, bytes]:
    """Content type and body of a form with the picture in the field `image`."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="picture"\r\n\r\n'
    )
    body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
