"""Finds a page of photos by date: all that fit the filter, or those that match the terms.

Imported on the first search, not with main.py (see search.engine.state).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.engine.asked import Asked
from search.engine.cursor import Cursor, encode_cursor
from search.engine.matches import counted
from search.engine.page import Page
from search.engine.query import OLDEST
from search.engine.stacking import Place, Ranking, Start, cap_of, results_of

if TYPE_CHECKING:
    from clipsearch.engine.union_matching import UnionMatching
    from clipsearch.index.search.filter import Filter
    from clipsearch.index.search.hits import Found, Listed
    from clipsearch.index.search.matching import Matching

    After = tuple[int, str]  # a date, in seconds since 1970, and a name


def page_by_date(asked: Asked, mark: bytes) -> Page:
    """`mark`: the query's fingerprint. Raises BadQuery."""
    query, is_oldest = asked.query, asked.query.order == OLDEST
    if not asked.vectors:

        def newest(count: int, after: "After | None") -> "list[Listed]":
            return asked.index.newest(count, after, asked.filter, is_oldest)

        page = _page(asked, newest, mark)
        return replace(page, total=asked.index.count(asked.filter))
    matching = matching_of(asked, asked.filter)
    page = _page(asked, lambda count, after: matching.by_date(count, after, is_oldest), mark)
    page = replace(page, is_incomplete=page.next_cursor is None and matching.is_cut)
    if asked.matches is None or query.cursor is not None:
        return page
    good = (matching.scores >= asked.matches.least_score("good")).sum()
    return replace(page, matches=counted(int(good), matching.is_cut))


def matching_of(asked: Asked, filter: "Filter") -> "Matching | UnionMatching":
    """The photos that fit `filter` and match: `min_match`, else good.

    Where matches are unknown, the best 500. The photos of `like` are never among them.
    """
    least = asked.matches.least_score(asked.query.min_match or "good") if asked.matches else None
    matching = asked.index.matching(asked.wanted, least, filter)
    return matching.without(asked.query.likes) if asked.query.likes else matching


def _page(
    asked: Asked, photos: "Callable[[int, After | None], Sequence[Found[Any]]]", mark: bytes
) -> Page:
    """`photos`: up to so many, in order, after a date and a name."""
    from clipsearch.index.search.hits import leaders  # the index has imported it

    query, index, terms = asked.query, asked.index, asked.combination
    sign = 1 if query.order == OLDEST else -1

    def behind(count: int, after: Place | None) -> "Sequence[Found[Any]]":
        return photos(count, after and (sign * int(after[0]), after[1]))

    def place(hit: "Found[Any]") -> Place:
        return sign * hit.date, hit.name

    ranking = Ranking(
        first=lambda count: photos(count, None),
        behind=behind,
        place=place,
        leaders=leaders,
    )
    start = Start()
    if query.cursor:
        date, name = query.cursor.date_and_name
        start = Start((sign * date, name))
    found, _ = results_of(ranking, query.limit + 1, start, cap_of(query, index.most_compared))
    results = found[: query.limit]
    hits, also = [result.hit for result in results], [result.also for result in results]
    if len(found) <= query.limit:
        return Page(hits, also, None)
    balances = () if terms is None else terms.balances
    cursor = Cursor(float(hits[-1].date), hits[-1].name, mark, balances=balances)
    return Page(hits, also, encode_cursor(cursor))
