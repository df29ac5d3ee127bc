"""Parses the terms and weights of a search in a URL or a form."""

import re
from collections.abc import Sequence
from dataclasses import replace

from clipsearch.text import plain
from search.engine.errors import BadQuery, quoted
from search.engine.picture import decode_picture
from search.engine.query import MAX_TERMS, Term

# Parameters that hold a term each. All but url are repeatable.
TERM_PARAMETERS = ("q", "not", "like", "unlike", "picture", "url")
LEAST_WEIGHT, MOST_WEIGHT = 0.01, 100
_WEIGHT = re.compile(r"\d+(\.\d+)?|\.\d+", re.ASCII)


def terms_of(pairs: Sequence[tuple[str, str]], skip_empty: bool = False) -> list[Term]:
    """One term for each pair of TERM_PARAMETERS, in their order. Raises BadQuery.

    `skip_empty`: for forms, because browsers send every field.
    """
    terms = []
    for name, value in pairs:
        if name not in TERM_PARAMETERS:
            continue
        is_text = name in ("q", "not")
        if not (plain(value) if is_text else value.strip()):
            if skip_empty:
                continue
            raise BadQuery(f"{name} is empty")
        terms.append(_term(name, value.strip() if is_text else value))
    return terms


def _term(name: str, value: str) -> Term:
    match name:
        case "q":
            return Term(text=value)
        case "not":
            return Term(text=value, weight=-1.0)
        case "like":
            return Term(like=value)
        case "unlike":
            return Term(like=value, weight=-1.0)
        case "url":
            return Term(url=value.strip())
        case _:
            return Term(picture=decode_picture(value))


def weighted(terms: Sequence[Term], text: str | None) -> tuple[Term, ...]:
    """The terms with the weights of the parameter `weight`. Raises BadQuery."""
    if text is None:
        return tuple(terms)
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not (_WEIGHT.fullmatch(part) and LEAST_WEIGHT <= float(part) <= MOST_WEIGHT):
            raise BadQuery(
                f"weight is {quoted(part)}; it must be a number from {LEAST_WEIGHT} to "
                f"{MOST_WEIGHT}, or several, separated by commas"
            )
    if len(parts) != len(terms):
        raise BadQuery(
            f"weight has {len(parts)} numbers for {len(terms)} terms; give one for each term, "
            "in the order of the terms"
        )
    numbers = [float(part) for part in parts]
    return tuple(
        replace(term, weight=number if term.is_wanted else -number)
        for term, number in zip(terms, numbers, strict=True)
    )


def check(terms: Sequence[Term], min_match: str | None) -> None:
    """Raises BadQuery for too many terms, only unwanted ones, or a url with a picture file.

    Both together could need twice the memory of the largest picture. Raises it also for
    `min_match` without a term.
    """
    if len(terms) > MAX_TERMS:
        raise BadQuery(f"the search has {len(terms)} terms; give at most {MAX_TERMS}")
    if not terms and min_match is not None:
        raise BadQuery("min_match needs a term: a text, an indexed photo or a picture")
    if terms and not any(term.is_wanted for term in terms):
        raise BadQuery(
            "all terms are unwanted; add what you are looking for: "
            "a text, an indexed photo or a picture"
        )
    urls = sum(term.url is not None for term in terms)
    if urls > 1:
        raise BadQuery(f"url is given {urls} times; give it once")
    if urls and any(term.image is not None for term in terms):
        raise BadQuery("url and a picture file cannot be combined; send one of them")
