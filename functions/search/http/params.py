"""Parses and checks parameters, before model or index are loaded."""

from collections.abc import Collection, Iterable

from clipsearch.text import plain
from search.engine.cursor import decode_cursor
from search.engine.errors import BadQuery, quoted
from search.engine.picture import decode_picture
from search.engine.query import LIMIT_DEFAULT, Query

LIMIT_MAX = 100

NO_QUERY = "Type what you are looking for, or choose a picture."

GET_PARAMETERS = ("q", "like", "picture", "limit", "cursor", "min_match")
POST_PARAMETERS = ("q", "limit", "cursor", "min_match")
MIN_MATCHES = ("good", "maybe")
EMBED_PARAMETERS = ("q",)
LABEL = "label"
MIN_LABELS, MAX_LABELS = 2, 100
MAX_IMAGES = 8  # for /classify, which decodes them one after the other in one thread


def query_of_get(pairs: Iterable[tuple[str, str]]) -> Query:
    """Parse `GET /?q=…`, `?picture=…`, both, or `?like=…`. Raises BadQuery."""
    values = checked(pairs, GET_PARAMETERS)
    asked = [name for name in ("q", "picture", "like") if name in values]
    if "like" in asked and len(asked) > 1:
        raise BadQuery(f"{asked[0]} and like cannot be combined; use one of them")
    if not asked:
        raise BadQuery(
            f"{NO_QUERY} API: set q, picture, or like (the name of an indexed photo), "
            "or post a picture as the field image of multipart/form-data."
        )
    for name in asked:
        if not (_words(values) if name == "q" else values[name].strip()):
            raise BadQuery(f"{name} is empty")
    return _query(values)


def query_of_post(pairs: Iterable[tuple[str, str]], image: bytes | None = None) -> Query:
    """Parse a posted form. `pairs`: its text fields and the parameters of the URL.

    An empty q means no words, because browsers send every field of a form. Raises BadQuery.
    """
    query = _query(checked(pairs, POST_PARAMETERS), image)
    if query.words is None and query.image is None:
        raise BadQuery(f"{NO_QUERY} API: set the field q, image or both.")
    return query


def query_of_embed(pairs: Iterable[tuple[str, str]], image: bytes | None = None) -> Query:
    """Parse the words or the picture to embed. An empty q means no words. Raises BadQuery."""
    words = _words(checked(pairs, EMBED_PARAMETERS))
    if words is None and image is None:
        raise BadQuery("nothing to embed; set q (words), or post a picture as the field image")
    if words is not None and image is not None:
        raise BadQuery("q and image cannot be combined here; send one of them")
    return Query(words=words, image=image)


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


def _query(values: dict[str, str], image: bytes | None = None) -> Query:
    cursor, picture = values.get("cursor"), values.get("picture")
    return Query(
        words=_words(values),
        image=image,
        picture=None if picture is None else decode_picture(picture),
        like=values.get("like"),
        limit=_limit(values["limit"]) if "limit" in values else LIMIT_DEFAULT,
        cursor=None if cursor is None else decode_cursor(cursor),
        min_match=_min_match(values["min_match"]) if "min_match" in values else None,
    )


def _words(values: dict[str, str]) -> str | None:
    """Return q as typed; None if nothing of it is visible to the model."""
    words = values.get("q", "").strip()
    return words if plain(words) else None


def _limit(text: str) -> int:
    # isascii: "٣".isdigit() is true
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LIMIT_MAX):
        raise BadQuery(f"limit must be a whole number from 1 to {LIMIT_MAX}, not {quoted(text)}")
    return int(text)


def _min_match(text: str) -> str:
    if text not in MIN_MATCHES:
        raise BadQuery(f"min_match must be {' or '.join(MIN_MATCHES)}, not {quoted(text)}")
    return text
