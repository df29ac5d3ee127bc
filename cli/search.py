"""`clipsearch search`: asks a running search by words or by a picture."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from cli.common.api import LOCAL, ask
from clipsearch.text import printable

MOST = 100  # of one answer


@click.command(
    short_help="Search by words or by a picture.",
    epilog='Example: clipsearch search "a red car at night" -n 5',
)
@click.argument("query")
@click.option("-n", "count", type=click.IntRange(1, MOST), default=10, help="How many photos.")
@click.option("--paths", is_flag=True, help="Print where the photos are, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it is.")
@click.option("--url", default=LOCAL, show_default=True, help="Of the search.")
def command(query: str, count: int, paths: bool, as_json: bool, url: str) -> None:
    """Search by QUERY: words, or the path of a picture."""
    picture = Path(query).expanduser()
    if picture.is_file():
        kind, body = _form(picture)
        answer = ask(url, "", {"limit": count}, body, kind)
    else:
        answer = ask(url, "", {"q": query, "limit": count})
    print(json.dumps(answer) if as_json else "\n".join(_lines(answer["results"], paths)))


def _lines(results: list[dict[str, Any]], only_paths: bool) -> list[str]:
    if only_paths:
        return [printable(unquote(urlsplit(result["url"]).path)) for result in results]
    if not results:
        return ["no photos yet"]
    return [f"{result['similarity']:5.1f}  {printable(result['name'])}" for result in results]


def _form(picture: Path) -> tuple[str, bytes]:
    """Content type and body of a form with the picture in the field `image`."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="picture"\r\n\r\n'
    )
    body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
