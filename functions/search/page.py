"""The answer as a page, for a browser without JavaScript. site/ is the better one.

Everything that is not ours goes through html.escape; the addresses are relative, for the
function may be mounted under a path.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from search.parameters import Query
from search.problems import Problem

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src http: https:; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<main>
<h1>clipsearch</h1>
<form action="?" method="get" role="search">
<p><label>Words <input type="search" name="q" value="{words}" required></label>
<button>Search</button></p>
</form>
<form action="?" method="post" enctype="multipart/form-data">
<p><label>A picture <input type="file" name="image" accept="image/*" required></label>
<button>Search by picture</button></p>
</form>
{content}
</main>
</body>
</html>
"""


def wants_page(accept: str | None) -> bool:
    """Whether the Accept header names text/html before JSON: browsers do, nothing else does."""
    accepted = parse_accept_header(accept, MIMEAccept)
    return bool(accepted["text/html"] > accepted["application/json"])


def answer_page(query: Query, answer: Mapping[str, Any]) -> str:
    """`answer` as the JSON has it."""
    results: Sequence[Mapping[str, Any]] = answer["results"]
    parts = [f"<p>{_summary(query, len(results))}</p>"]
    if answer.get("truncated"):
        parts.append("<p>The text is longer than the model reads; its end was left out.</p>")
    if results:
        parts.append("<ol>" + "".join(map(_result, results)) + "</ol>")
    # the next part of a picture's answer needs the picture again, which a link cannot carry
    if answer["next_cursor"] and query.image is None:
        parts.append(f'<p><a rel="next" href="{_next(query, answer)}">More</a></p>')
    return _page(query.words or query.like or "a picture", "\n".join(parts), query.words or "")


def problem_page(problem: Problem, words: str) -> str:
    """`words` is what was asked, to be corrected."""
    content = f'<p role="alert">{escape(problem.title)}: {escape(problem.detail)}</p>'
    return _page(problem.title, content, words)


def _page(subject: str, content: str, words: str) -> str:
    title = escape(f"{subject} · clipsearch")
    return _PAGE.format(title=title, words=escape(words), content=content)


def _summary(query: Query, count: int) -> str:
    photos = "1 photo" if count == 1 else f"{count or 'No'} photos"
    asked = [f"“{escape(query.words)}”"] if query.words else []
    if query.image is not None:
        asked.append("your picture")
    if query.like is not None:
        asked.append(f"<cite>{escape(query.like)}</cite>")
    return f"{photos} like {' and '.join(asked)}"


def _result(result: Mapping[str, Any]) -> str:
    name = escape(result["name"])
    source = escape(result["thumbnail_url"])
    more = escape("?" + urlencode({"like": result["name"]}))
    return (
        f'<li><figure><a href="{escape(result["url"])}">'
        f'<img src="{source}" alt="{name}" height="160" loading="lazy"></a>'
        f"<figcaption>{name} · {result['similarity']:.1f} · "
        f'<a href="{more}">more like this</a></figcaption></figure></li>\n'
    )


def _next(query: Query, answer: Mapping[str, Any]) -> str:
    asked = {"like": query.like} if query.like is not None else {"q": query.words}
    rest = {"limit": query.limit, "cursor": answer["next_cursor"]}
    return escape("?" + urlencode(asked | rest))
