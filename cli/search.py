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
from clipsearch.images.kinds import FORMATS as NAMES
from clipsearch.text import printable
from search.engine.criteria import ORIENTATIONS
from search.engine.query import RELEVANCE, SORTS

MOST = 100  # photos of one answer
FORMATS = tuple(name.lower() for name in NAMES)
UNDATED = " " * 10


@click.command(
    short_help="Search by words or by a picture.",
    epilog='Example: clipsearch search "a red car" --and snow --not night -n 5',
)
@click.argument("query", required=False, shell_complete=complete_files)
@click.option("--and", "also", multiple=True, metavar="TEXT", help="Search by this text, too.")
@click.option(
    "--not", "unwanted", multiple=True, metavar="TEXT", help="Rank photos like this text lower."
)
@click.option("--like", multiple=True, metavar="NAME", help="Search by this indexed photo, too.")
@click.option("--folder", metavar="FOLDER", help="Only photos in this folder, such as 2023/Italy.")
@click.option("--name", metavar="TEXT", help="Only photos with this in their name, in any case.")
@click.option("--after", metavar="TIME", help="Only photos from this date or time on.")
@click.option("--before", metavar="TIME", help="Only photos from before this date or time.")
@click.option("--near", metavar="LAT,LON,KM", help="Only photos around this place.")
@click.option(
    "--orientation",
    type=click.Choice(ORIENTATIONS),
    metavar="SHAPE",
    help=f"Only photos of this shape: {', '.join(ORIENTATIONS)}.",
)
@click.option(
    "--format",
    multiple=True,
    type=click.Choice(FORMATS),
    metavar="FORMAT",
    help=f"Only photos of this format: {', '.join(FORMATS)}.",
)
@click.option("--min-megapixels", metavar="NUMBER", help="Only photos of at least this size.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default=RELEVANCE,
    metavar="ORDER",
    help="relevance, newest or oldest. By date, only good matches are printed.",
)
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
    query: str | None,
    also: tuple[str, ...],
    unwanted: tuple[str, ...],
    like: tuple[str, ...],
    sort: str,
    count: int,
    paths: bool,
    as_json: bool,
    url: str,
    **filters: str | tuple[str, ...] | None,
) -> None:
    """Search by QUERY: words, or the path of a picture.

    Without words, list the newest photos. You may repeat --and, --not and --like: a search has up
    to 8 terms. You may also repeat --format: photos of any of them. A TIME is 2023, 2023-07,
    2023-07-14 or 2023-07-14T18:00, perhaps with Z or +02:00.
    """
    picture = os.path.expanduser(query or "")
    parameters = [("q", text) for text in also]
    parameters += [("not", text) for text in unwanted] + [("like", name) for name in like]
    for name, value in filters.items():
        parameters += [(name, one) for one in ([value] if isinstance(value, str) else value or ())]
    if sort != RELEVANCE:
        parameters.append(("sort", sort))
    parameters.append(("limit", str(count)))
    if os.path.isfile(picture):  # False, not an error, for words that cannot be a path
        kind, body = _form(Path(picture))
        answer = ask(url, "", parameters, body, kind)
    else:
        words = [] if query is None else [("q", query)]
        answer = ask(url, "", words + parameters)
    print(json.dumps(answer) if as_json else "\n".join(_lines(answer, paths)))


def _lines(answer: dict[str, Any], only_paths: bool) -> list[str]:
    results = answer["results"]
    if only_paths:
        return [printable(result["name"]) for result in results]
    if results:
        return [f"{_said_of(result)}  {printable(result['name'])}" for result in results]
    if answer["index"]["photos"]:
        return ["No photo fits. Try other words or filters."]
    return ["No photos yet. Add some to the folder or bucket, then search again."]


def _said_of(result: dict[str, Any]) -> str:
    """The similarity; the score of several terms, which have none; the date without a term."""
    if result["score"] is None:
        return (result["taken"] or result["uploaded"] or UNDATED)[: len(UNDATED)]
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
