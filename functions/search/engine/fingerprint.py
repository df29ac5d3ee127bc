"""What a cursor belongs to: a query and a model."""

import hashlib

from search.engine.cursor import fingerprint
from search.engine.errors import BadQuery
from search.engine.model import Model
from search.engine.query import RELEVANCE, Query, Term


def checked_fingerprint(query: Query, model: Model) -> bytes:
    """Raises BadQuery if the query has a cursor of another one."""
    mark = _fingerprint(query, model)
    if query.cursor is not None and query.cursor.fingerprint != mark:
        raise BadQuery(
            "cursor belongs to another query, filter or order, or to an earlier model; "
            "search again without it"
        )
    return mark


def _fingerprint(query: Query, model: Model) -> bytes:
    """Identifies all of the query but its page, and the model. The weight of one term is no part.

    What is not given is no part either, so that cursors of earlier versions stay valid.
    """
    terms = query.terms
    parts: list[str | bytes | None] = [model.space]
    if query.min_match is not None:
        parts.append(query.min_match)
    if query.criteria:
        parts.append(repr(query.criteria))
    if query.order != RELEVANCE:
        parts.append(f"sort={query.order}")
    if not query.stack:
        parts.append("stack=0")
    for term in terms:
        weight = () if len(terms) == 1 else (repr(float(term.weight)),)
        parts += [*weight, term.text, term.like, *_pictures(term)]
    # models of one space may differ in their text template, which changes the order of results
    template = model.encoder.bundle.variant.text_template
    if template is not None and any(term.text is not None for term in terms):
        parts.append(template)
    return fingerprint(*parts)


def _pictures(term: Term) -> tuple[bytes | None, bytes | None]:
    image = None if term.image is None else hashlib.sha256(term.image).digest()
    return image, None if term.picture is None else term.picture.numbers
