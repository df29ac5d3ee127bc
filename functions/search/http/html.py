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

from clipsearch.text import shortened
from search.engine.query import LIMIT_DEFAULT, Query
from search.http.errors import Problem

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
<input id="words" name="q" type="search" value="{words}" placeholder="What the photos show"
 maxlength="1000" enterkeyhint="search">
<button class="main">Search</button>
<label for="picture">By picture</label>
<input id="picture" name="image" type="file" accept="image/*,.heic,.avif">
</form>
</header>
<main>
{content}
</main>
</body>
</html>
"""

_HOME = (
    '<a href="{site}/index.html"><img src="{site}/icon.svg" alt="" width="32" height="32">'
    "clipsearch</a>"
)


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


def address_of(query: Query, cursor: str | None = None) -> str:
    """Where `query`, which has no `image`, is answered; relative."""
    picture = query.picture.text() if query.picture else None
    limit = None if query.limit == LIMIT_DEFAULT else str(query.limit)
    asked = {"q": query.words, "like": query.like, "picture": picture}
    asked |= {"limit": limit, "cursor": cursor}
    return "?" + urlencode({name: value for name, value in asked.items() if value})


def answer_page(query: Query, answer: Mapping[str, Any], site_url: str) -> str:
    """`answer` as the JSON has it."""
    results: Sequence[Mapping[str, Any]] = answer["results"]
    parts = [f'<p id="status">{_summary(query, len(results))}</p>']
    if answer.get("truncated"):
        parts.append("<p>The text is longer than the model reads; its end was left out.</p>")
    if results:
        parts.append('<ul id="results">' + "".join(map(_result, results)) + "</ul>")
    # the next part of a posted picture's answer needs the picture again
    if answer["next_cursor"] and query.image is None:
        more = escape(address_of(query, answer["next_cursor"]))
        parts.append(f'<a class="button" rel="next" href="{more}">More</a>')
    title = query.words or query.like or "a picture"
    return _page(title, "\n".join(parts), query.words or "", site_url)


def problem_page(problem: Problem, words: str, site_url: str) -> str:
    """`words` is what was asked, to be corrected."""
    said = escape(problem.detail[:1].upper() + problem.detail[1:])
    said += "" if said.endswith((".", "!", "?")) else "."
    if "Retry-After" in problem.headers:
        said += f" Please try again in {problem.headers['Retry-After']} s."
    content = f'<p id="status" class="error" role="alert">{said}</p>'
    return _page(problem.title, content, words, site_url)


def _page(subject: str, content: str, words: str, site_url: str) -> str:
    site = escape(site_url)
    return _PAGE.format(
        title=escape(f"{shortened(subject)} · clipsearch"),
        style=f'<link rel="stylesheet" href="{site}/style.css">' if site else "",
        home=_HOME.format(site=site) if site else "clipsearch",
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
        f'<p class="facts">{result["similarity"]:.1f} <a href="{more}">More like this</a></p>'
        "</li>\n"
    )
