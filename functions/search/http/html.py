"""Results as a page, for browsers without JavaScript. site/ has more features.

page.html has the form of site/, and also its stylesheet if the settings have the URL of site/.
Links are relative, because the function may be mounted under a path.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from clipsearch.text import shortened
from search.engine.criteria import ALL, Criteria
from search.engine.query import LIMIT_DEFAULT, RELEVANCE, Query, Term
from search.http.errors import Problem
from search.http.filters import parameters_of
from search.http.params import GET_PARAMETERS

START = "Search your photos"
# What the page says about filters.
SAID = {
    "photo": "{}",
    "folder": "in {}",
    "name": "with {} in the name",
    "after": "from {} on",
    "before": "before {}",
    "orientation": "{}",
    "min_megapixels": "at least {} megapixels",
}
DEMO_MODEL = "clipsearch-demo"  # knows drawn scenes only


def headers(site_url: str) -> dict[str, str]:
    site = urlsplit(site_url)
    base = f"{site.scheme}://{site.netloc}{site.path}"
    source = f"{base}/style.css {base}/plain.css" if site.netloc else "'self'"
    style = f"style-src {source}; " if site_url else ""
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
    """Return the relative URL of `query`, which must have neither `image` nor `url`."""
    asked = [_as_parameter(term) for term in query.terms]
    weights = [abs(term.weight) for term in query.terms]
    if set(weights) - {1}:
        asked.append(("weight", ",".join(map(str, weights))))
    asked += selection_of(query)
    if query.limit != LIMIT_DEFAULT:
        asked.append(("limit", str(query.limit)))
    if query.min_match:
        asked.append(("min_match", query.min_match))
    if cursor:
        asked.append(("cursor", cursor))
    return "?" + urlencode(asked)


def asked_at(referrer: str, site_url: str) -> str:
    """The relative URL of the search in the address of site/; empty if there is none.

    The page of site/ has a link here for browsers without JavaScript, and it cannot write its own
    search into that link. An open photo counts only if nothing else is asked.
    """
    is_relative = not urlsplit(site_url).netloc
    if not site_url or not (is_relative or referrer.startswith(f"{site_url}/")):
        return ""
    given = [pair for pair in parse_qsl(urlsplit(referrer).query) if pair[0] in GET_PARAMETERS]
    asked = [pair for pair in given if pair[0] != "photo"] or given
    return "?" + urlencode(asked) if asked else ""


def selection_of(query: Query) -> list[tuple[str, str]]:
    """The parameters that a search with other terms keeps: filters, order and stacks."""
    pairs = parameters_of(query.criteria)
    if query.sort != RELEVANCE:
        pairs.append(("sort", query.sort))
    if not query.stack:
        pairs.append(("stack", "0"))
    return pairs


def _as_parameter(term: Term) -> tuple[str, str]:
    if term.text is not None:
        return ("q" if term.is_wanted else "not"), term.text
    if term.like is not None:
        return ("like" if term.is_wanted else "unlike"), term.like
    return "picture", term.picture.text() if term.picture else ""


def answer_page(query: Query, answer: Mapping[str, Any], site_url: str) -> str:
    """`answer`: the JSON of the same search."""
    # the next page for a posted picture needs the picture again, so it has no link
    leads_on = answer["next_cursor"] and not query.has_image
    named = [(term.text or term.like, term.is_wanted) for term in query.terms]
    names = [name for name, is_wanted in named if name and is_wanted]
    kept = selection_of(query)
    return _page(
        title=" and ".join(names) or ("a picture" if query.terms else START),
        words=" ".join(query.texts),
        site=site_url,
        names=names,
        unwanted=[name for name, is_wanted in named if name and not is_wanted],
        has_picture=any(not name for name, _ in named),
        has_terms=bool(query.terms),
        order=query.order,
        filters=_said_of(query.criteria),
        unfiltered=address_of(replace(query, criteria=ALL)) if not query.has_image else "",
        kept=kept,
        truncated="truncated" in answer,
        results=answer["results"],
        matches=answer["matches"],
        most_compared=answer["index"].get("most_compared") if "incomplete" in answer else None,
        is_demo=answer["index"]["model"] == DEMO_MODEL,
        more=address_of(query, answer["next_cursor"]) if leads_on else "",
        like=lambda name: address_of(
            replace(query, terms=(Term(like=name),), sort=RELEVANCE, min_match=None)
        ),
    )


def _said_of(criteria: Criteria) -> list[str]:
    """A few words for each filter."""
    given = dict(parameters_of(criteria))
    said = [words.format(given[name]) for name, words in SAID.items() if name in given]
    if criteria.near:
        place, _, km = given["near"].rpartition(",")
        said.append(f"within {km} km of {place}")
    if criteria.formats:
        said.append(" or ".join(criteria.formats))
    return said


def start_page(line: str, site_url: str) -> str:
    """The form alone, for `/` without a query before there are photos."""
    return _page(title=START, words="", site=site_url, line=line)


def problem_page(problem: Problem, words: str, site_url: str) -> str:
    """`words`: the text of the query, for the search field."""
    said = problem.detail[:1].upper() + problem.detail[1:]
    said += "" if said.endswith((".", "!", "?")) else "."
    if "Retry-After" in problem.headers:
        said += f" Try again in {problem.headers['Retry-After']} s."
    return _page(title=problem.title, words=words, site=site_url, problem=said)


def _page(*, title: str, **values: Any) -> str:
    absent = {"problem": "", "line": "", "is_demo": False, "kept": []}
    return _template().render({**absent, "title": shortened(title), **values})


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html")
