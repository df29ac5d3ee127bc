"""Parses and checks parameters, before model or index are loaded."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from clipsearch.text import plain
from search.engine.cursor import decode_cursor
from search.engine.errors import BadQuery, quoted
from search.engine.query import LIMIT_DEFAULT, RELEVANCE, SORTS, Query, Term
from search.http.filters import FILTER_PARAMETERS, FORMAT, criteria_of
from search.http.terms import TERM_PARAMETERS, check, terms_of, weighted

LIMIT_MAX = 100

REPEATABLE = (*TERM_PARAMETERS, FORMAT)
PAGE_PARAMETERS = ("sort", "stack", "limit", "cursor", "min_match")
GET_PARAMETERS = (*TERM_PARAMETERS, "weight", *FILTER_PARAMETERS, *PAGE_PARAMETERS)
POST_PARAMETERS = GET_PARAMETERS  # fields of the form, or parameters of the URL
MIN_MATCHES = ("good", "maybe")
STACKS = {"0": False, "1": True}
EMBED_PARAMETERS = ("q",)
LABEL = "label"
MIN_LABELS, MAX_LABELS = 2, 100
MAX_IMAGES = 8  # for /classify, which decodes them one after the other in one thread


def query_of_get(pairs: Iterable[tuple[str, str]]) -> Query:
    """Parse `GET /?q=…&not=…`. Raises BadQuery."""
    several, values = _split(pairs)
    return _query(terms_of(several), several, values)


def query_of_post(pairs: Iterable[tuple[str, str]], image: bytes | None = None) -> Query:
    """Parse a posted form. `pairs`: the parameters of the URL, then the text fields.

    The picture is the last term. Ignores empty fields, because browsers send every field of a form.
    Raises BadQuery.
    """
    several, values = _split(pairs)
    values = {name: value for name, value in values.items() if value.strip()}
    several = [pair for pair in several if pair[1].strip()]
    terms = terms_of(several, skip_empty=True)
    return _query(terms if image is None else [*terms, Term(image=image)], several, values)


def term_of_embed(pairs: Iterable[tuple[str, str]], image: bytes | None = None) -> Term:
    """Parse the words or the picture to embed. An empty q means no words. Raises BadQuery."""
    given = checked(pairs, EMBED_PARAMETERS).get("q", "").strip()
    words = given if plain(given) else None  # the model sees nothing of other texts
    if words is None and image is None:
        raise BadQuery("nothing to embed; set q (words), or post a picture as the field image")
    if words is not None and image is not None:
        raise BadQuery("q and image cannot be combined here; send one of them")
    return Term(text=words, image=image)


def labels_of(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return the labels of `/classify`, in their order. Raises BadQuery."""
    labels: list[str] = []
    seen: set[str] = set()
    for name, value in pairs:
        if name != LABEL:
            raise BadQuery(f"unknown parameter {quoted(name)}; allowed: {LABEL}")
        label, read = value.strip(), plain(value)
        if not read:
            raise BadQuery(f"{LABEL} is empty")
        if read in seen:
            raise BadQuery(f"{LABEL} {quoted(label)} is given more than once")
        labels.append(label)
        seen.add(read)
    if not MIN_LABELS <= len(labels) <= MAX_LABELS:
        raise BadQuery(
            f"label is given {len(labels)} times; give {MIN_LABELS} to {MAX_LABELS} labels"
        )
    return labels


def checked(pairs: Iterable[tuple[str, str]], allowed: Collection[str]) -> dict[str, str]:
    """Return `pairs` as a dict. Raises BadQuery for unknown and repeated parameters."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise BadQuery(f"unknown parameter {quoted(name)}; allowed: {known}")
        if name in values:
            raise BadQuery(f"parameter {name} is given more than once")
        values[name] = value
    return values


def _split(pairs: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The repeatable parameters in their order, and the others. Raises BadQuery."""
    given = list(pairs)
    checked([pair for pair in given if pair[0] not in GET_PARAMETERS], GET_PARAMETERS)
    others = [pair for pair in given if pair[0] not in REPEATABLE]
    return [pair for pair in given if pair[0] in REPEATABLE], checked(others, GET_PARAMETERS)


def _query(
    terms: list[Term], several: Sequence[tuple[str, str]], values: Mapping[str, str]
) -> Query:
    cursor, least = values.get("cursor"), min_match_of(values.get("min_match"))
    check(terms, least)
    return Query(
        terms=weighted(terms, values.get("weight")),
        criteria=criteria_of(values, [value for name, value in several if name == FORMAT]),
        sort=sort_of(values.get("sort", RELEVANCE)),
        stack=_stack(values.get("stack", "1")),
        limit=_limit(values["limit"]) if "limit" in values else LIMIT_DEFAULT,
        cursor=None if cursor is None else decode_cursor(cursor),
        min_match=least,
    )


def _limit(text: str) -> int:
    # isascii: "٣".isdigit() is true
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LIMIT_MAX):
        raise BadQuery(f"limit must be a whole number from 1 to {LIMIT_MAX}, not {quoted(text)}")
    return int(text)


def min_match_of(text: str | None) -> str | None:
    """Raises BadQuery."""
    if text is not None and text not in MIN_MATCHES:
        raise BadQuery(f"min_match must be {' or '.join(MIN_MATCHES)}, not {quoted(text)}")
    return text


def sort_of(text: str) -> str:
    """Raises BadQuery."""
    if text not in SORTS:
        raise BadQuery(f"sort must be one of {', '.join(SORTS)}, not {quoted(text)}")
    return text


def _stack(text: str) -> bool:
    if text not in STACKS:
        raise BadQuery(f"stack must be {' or '.join(STACKS)}, not {quoted(text)}")
    return STACKS[text]
