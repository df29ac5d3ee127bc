"""Results as a page, for browsers without JavaScript. site/ has more features.

page.html has the form of site/, and also its stylesheet if the settings have the URL of site/.
Links are relative, because the function may be mounted under a path.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from clipsearch.text import shortened
from search.engine.query import LIMIT_DEFAULT, Query
from search.http.errors import Problem

DEMO_MODEL = "clipsearch-demo"  # knows drawn scenes only


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
    """Whether the Accept header prefers text/html to JSON. Only browsers do."""
    accepted = parse_accept_header(accept, MIMEAccept)
    return bool(accepted["text/html"] > accepted["application/json"])


def address_of(query: Query, cursor: str | None = None) -> str:
    """Return the relative URL of `query`, which must have no `image`."""
    picture = query.picture.text() if query.picture else None
    limit = None if query.limit == LIMIT_DEFAULT else str(query.limit)
    asked = {"q": query.words, "like": query.like, "picture": picture}
    asked |= {"limit": limit, "min_match": query.min_match, "cursor": cursor}
    return "?" + urlencode({name: value for name, value in asked.items() if value})


def answer_page(query: Query, answer: Mapping[str, Any], site_url: str) -> str:
    """`answer`: the JSON of the same search."""
    # the next page for a posted picture needs the picture again, so it has no link
    leads_on = answer["next_cursor"] and query.image is None
    return _page(
        title=query.words or query.like or "a picture",
        words=query.words or "",
        site=site_url,
        names=[name for name in (query.words, query.like) if name],
        has_picture=query.image is not None or query.picture is not None,
        truncated="truncated" in answer,
        results=answer["results"],
        matches=answer["matches"],
        is_demo=answer["index"]["model"] == DEMO_MODEL,
        more=address_of(query, answer["next_cursor"]) if leads_on else "",
    )


def problem_page(problem: Problem, words: str, site_url: str) -> str:
    """`words`: the text of the query, for the search field."""
    said = problem.detail[:1].upper() + problem.detail[1:]
    said += "" if said.endswith((".", "!", "?")) else "."
    if "Retry-After" in problem.headers:
        said += f" Try again in {problem.headers['Retry-After']} s."
    return _page(title=problem.title, words=words, site=site_url, problem=said)


def _page(*, title: str, **values: Any) -> str:
    return _template().render(
        {"problem": "", "is_demo": False, "title": shortened(title), **values}
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html")
