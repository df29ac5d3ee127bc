"""The answer as a page, for a browser without JavaScript. site/ is the better one.

It has the form and the stylesheet of site/, if the settings say where that is. Everything that
is not ours goes through html.escape; the addresses are relative, for the function may be mounted
under a path.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from search.parameters import Query
from search.problems import Problem

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{style}
</head>
<body>
<header>
<h1>{home}</h1>
<form id="search" action="?" method="post" enctype="multipart/form-data" role="search">
<label class="unseen" for="words">What the photos show</label>
<input id="words" name="q" type="search" value="{words}" placeholder="What the photos show">
<button class="main">Search</button>
<input name="image" type="file" accept="image/*" aria-label="By picture">
</form>
</header>
<main>
{content}
</main>
</body>
</html>
"""


def headers(site_url: str) -> dict[str, str]:
    site = urlsplit(site_url)
    style = f"style-src {site.scheme}://{site.netloc}{site.path}/style.css; " if site_url else ""
    policy = f"default-src 'none'; {style}img-src http: https:; form-action 'self'; base-uri 'none'"
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def wants_page(accept: str | None) -> bool:
    """Whether the Accept header names text/html before JSON: browsers do, nothing else does."""
    accepted = parse_accept_header(accept, MIMEAccept)
    return bool(accepted["text/html"] > accepted["application/json"])


def answer_page(query: Query, answer: Mapping[str, Any], site_url: str) -> str:
    """`answer` as the JSON has it."""
    results: Sequence[Mapping[str, Any]] = answer["results"]
    parts = [f'<p id="status">{_summary(query, len(results))}</p>']
    if answer.get("truncated"):
        parts.append("<p>The text is longer than the model reads; its end was left out.</p>")
    if results:
        parts.append('<ul id="results">' + "".join(map(_result, results)) + "</ul>")
    # the next part of a picture's answer needs the picture again, which a link cannot carry
    if answer["next_cursor"] and query.image is None:
        parts.append(f'<p><a class="button" rel="next" href="{_next(query, answer)}">More</a></p>')
    title = query.words or query.like or "a picture"
    return _page(title, "\n".join(parts), query.words or "", site_url)


def problem_page(problem: Problem, words: str, site_url: str) -> str:
    """`words` is what was asked, to be corrected."""
    said = f"{escape(problem.title)}: {escape(problem.detail)}"
    content = f'<p id="status" class="error" role="alert">{said}</p>'
    return _page(problem.title, content, words, site_url)


def _page(subject: str, content: str, words: str, site_url: str) -> str:
    site = escape(site_url)
    return _PAGE.format(
        title=escape(f"{subject} · clipsearch"),
        style=f'<link rel="stylesheet" href="{site}/style.css">' if site else "",
        home=f'<a href="{site}/index.html">clipsearch</a>' if site else "clipsearch",
        words=escape(words),
        content=content,
    )


def _summary(query: Query, count: int) -> str:
    photos = "1 photo" if count == 1 else f"{count or 'No'} photos"
    asked = [f"“<bdi>{escape(query.words)}</bdi>”"] if query.words else []
    if query.image is not None or query.picture is not None:
        asked.append("your picture")
    if query.like is not None:
        asked.append(f"“<bdi>{escape(query.like)}</bdi>”")
    return f"{photos} like {' and '.join(asked)}."


def _result(result: Mapping[str, Any]) -> str:
    name = escape(result["name"])
    more = escape("?" + urlencode({"like": result["name"]}))
    size = f' width="{result["width"]}" height="{result["height"]}"' if result["width"] else ""
    return (
        f'<li><a class="photo" href="{escape(result["url"])}">'
        f'<img src="{escape(result["thumbnail_url"])}" alt="{name}"{size} loading="lazy"></a>'
        f'<p class="name" dir="auto">{name}</p>'
        f'<p class="facts">{result["similarity"]:.1f} <a href="{more}">more like this</a></p>'
        "</li>\n"
    )


def _next(query: Query, answer: Mapping[str, Any]) -> str:
    picture = query.picture.text() if query.picture else None
    asked = {"q": query.words, "like": query.like, "picture": picture}
    asked |= {"limit": str(query.limit), "cursor": answer["next_cursor"]}
    return escape("?" + urlencode({name: value for name, value in asked.items() if value}))
