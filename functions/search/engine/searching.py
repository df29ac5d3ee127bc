"""Finds a page of photos, the most relevant ones first.

Imported on the first search, not with main.py (see search.engine.state).
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from search.engine.asked import Asked
from search.engine.by_date import matching_of
from search.engine.cursor import cursor_behind, encode_cursor
from search.engine.page import Page
from search.engine.stacking import Place, Ranking, Start, cap_of, results_of

if TYPE_CHECKING:
    from clipsearch.index.search.hits import Hit


def page_by_relevance(asked: Asked, mark: bytes) -> Page:
    """`mark`: the query's fingerprint. The photos of `like` are never among the results.

    Raises BadQuery.
    """
    query, matches, terms, cursor = (
        asked.query,
        asked.matches,
        asked.combination,
        asked.query.cursor,
    )
    start, cap = Start(), cap_of(query, asked.index.most_compared)
    if cursor:
        score, name = cursor.after(asked.index.score_error)
        start = Start((-score, name), cursor.has_given, len(cursor.given))
    found, window = results_of(_ranking(asked), query.limit + 1, start, cap)
    results, is_last = found[: query.limit], len(found) <= query.limit
    hits, also = [result.hit for result in results], [result.also for result in results]
    counted = None
    if matches and not cursor:
        counted = matches.count(window or hits, len(window) < cap if cap else is_last)
    if is_last:
        return Page(hits, also, None, counted, is_incomplete=not _has_all(asked))
    given = [(hit.score, hit.name) for hit in hits]
    balances = () if terms is None else terms.balances
    following = cursor_behind(given, cursor, mark, asked.index.score_error, balances)
    return Page(hits, also, encode_cursor(following), counted)


def _has_all(asked: Asked) -> bool:
    """Whether the search compared all photos that fit, or all that may have `min_match`."""
    if asked.query.min_match:
        return not matching_of(asked, asked.filter).is_cut
    return asked.index.compares_all(asked.filter)


def _ranking(asked: Asked) -> "Ranking[Hit]":
    """Without the photos of `like`, and without worse matches than asked for."""
    from clipsearch.index.search.hits import leaders  # the index has imported it

    query, matches, index, likes = asked.query, asked.matches, asked.index, asked.query.likes
    # After a first page, which may have missed a photo, nothing may be missing.
    exactly = query.cursor is not None

    def wanted(count: int, after: tuple[float, str] | None) -> "list[Hit]":
        more = count + len(likes)
        hits = index.search(asked.wanted, more, after, asked.filter, exactly)
        hits = _without(hits, likes)[:count]
        return matches.least(hits, query.min_match) if matches and query.min_match else hits

    def behind(count: int, after: Place | None) -> "list[Hit]":
        return wanted(count, after and (-after[0], after[1]))

    return Ranking(
        first=lambda count: wanted(count, None),
        behind=behind,
        place=lambda hit: (-hit.score, hit.name),
        leaders=leaders,
    )


def _without(hits: "Sequence[Hit]", names: Collection[str]) -> "list[Hit]":
    """Reads no more names than it must: a photo of `like` is mostly among the first."""
    left, others, seen = set(names), [], iter(hits)
    while left and (hit := next(seen, None)):
        if hit.name in left:
            left.remove(hit.name)
        else:
            others.append(hit)
    return [*others, *seen]
