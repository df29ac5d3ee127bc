"""Parses the JSON body of POST /search."""

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.kinds import FIRST_BYTES, format_of
from clipsearch.text import plain
from search.engine.cursor import decode_cursor
from search.engine.errors import BadQuery
from search.engine.picture import decode_picture
from search.engine.query import LIMIT_DEFAULT, RELEVANCE, Query, Term
from search.http.errors import BadRequest, WrongContentType
from search.http.filters import criteria_of_json
from search.http.params import LIMIT_MAX, min_match_of, sort_of
from search.http.terms import LEAST_WEIGHT, MOST_WEIGHT, check
from search.http.values import as_list, as_object, as_text, is_number, shown

JSON_TYPE = "application/json"
QUERY_KEYS = ("terms", "filter", "sort", "stack", "limit", "cursor", "min_match")
TERM_KINDS = ("text", "like", "picture", "url")
TERM_KEYS = (*TERM_KINDS, "weight")
# Bytes. A longer picture is a file: the vector of a model has at most a few thousand numbers.
LONGEST_VECTOR = 20_000


def check_json(headers: Mapping[str, str]) -> None:
    """Raises WrongContentType."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise WrongContentType(f"post the search as {JSON_TYPE}")


def query_of_json(data: bytes) -> Query:
    """Raises BadRequest if `data` is no JSON, else BadQuery."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    body = as_object(value, "the body", QUERY_KEYS)
    given = as_list(body.get("terms", []), "terms")
    terms = tuple(_term(term, f"terms[{number}]") for number, term in enumerate(given))
    limit, cursor = body.get("limit", LIMIT_DEFAULT), body.get("cursor")
    stack = body.get("stack", True)
    if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
        raise BadQuery(f"limit must be a whole number from 1 to {LIMIT_MAX}, not {shown(limit)}")
    if not isinstance(stack, bool):
        raise BadQuery(f"stack must be true or false, not {shown(stack)}")
    least = body.get("min_match")
    least = None if least is None else min_match_of(as_text(least, "min_match"))
    check(terms, least)
    return Query(
        terms=terms,
        criteria=criteria_of_json(body.get("filter", {})),
        sort=sort_of(as_text(body.get("sort", RELEVANCE), "sort")),
        stack=stack,
        limit=limit,
        cursor=None if cursor is None else decode_cursor(as_text(cursor, "cursor")),
        min_match=least,
    )


def _term(value: Any, where: str) -> Term:
    term = as_object(value, where, TERM_KEYS)
    kinds = [kind for kind in TERM_KINDS if kind in term]
    if len(kinds) != 1:
        raise BadQuery(f"{where} must have exactly one of {', '.join(TERM_KINDS)}")
    weight, kind = _weight(term.get("weight", 1), where), kinds[0]
    text = as_text(term[kind], f"{where}.{kind}")
    if not (plain(text) if kind == "text" else text.strip()):
        raise BadQuery(f"{where}.{kind} is empty")
    match kind:
        case "text":
            return Term(text=text.strip(), weight=weight)
        case "like":
            return Term(like=text, weight=weight)
        case "url":
            return Term(url=text.strip(), weight=weight)
        case _:
            return _picture(text, where, weight)


def _picture(text: str, where: str, weight: float) -> Term:
    """A file in base64, with or without line breaks, or the picture of an answer of /embed."""
    joined = text.replace("\n", "").replace("\r", "")
    try:
        data = b64decode(joined, validate=True)
    except ValueError:
        data = b""
    if len(data) > LONGEST_VECTOR or _is_picture(data):
        return Term(image=data, weight=weight)
    try:
        return Term(picture=decode_picture(joined), weight=weight)
    except BadQuery as error:
        raise BadQuery(
            f"{where}.picture is neither a picture file in base64 nor the picture of an answer of "
            "POST /embed"
        ) from error


def _is_picture(data: bytes) -> bool:
    try:
        return bool(format_of(data[:FIRST_BYTES]))
    except UnreadablePhoto:
        return False


def _weight(value: Any, where: str) -> float:
    if not is_number(value) or not LEAST_WEIGHT <= abs(value) <= MOST_WEIGHT:  # nan, too
        raise BadQuery(
            f"{where}.weight must be a number from {LEAST_WEIGHT} to {MOST_WEIGHT}, "
            f"or from -{MOST_WEIGHT} to -{LEAST_WEIGHT} if unwanted, not {shown(value)}"
        )
    return float(value)
