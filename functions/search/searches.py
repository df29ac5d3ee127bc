"""The searches: by the URL of the request, by a form, and by JSON; and the facets of a search."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from clipsearch.errors import NotReady
from clipsearch.images.limits import MAX_BYTES
from search import resources
from search.engine.errors import detail_of
from search.engine.query import Query
from search.engine.timing import Timing
from search.forms import Pairs, with_form
from search.http import html
from search.http.json_query import check_json, query_of_json
from search.http.params import checked, query_of_get, query_of_post
from search.http.responses import answered, json_answer, start, wants_page


async def search_by_address(request: Request, timing: Timing) -> Response:
    query = query_of_get(request.query_params.multi_items())
    if not request.query_params and wants_page(request):
        referrer, site_url = request.headers.get("referer", ""), resources.settings().site_url
        if asked := html.asked_at(referrer, site_url):
            return Response(status_code=303, headers={"Location": asked})
    if query.url is not None:
        return await _with_fetched(request, query, lambda q: _with_picture(request, q, timing))
    try:
        async with resources.texts.place(request) as place:
            answer = await place.run(lambda: resources.service(timing).answer(query, timing))
    except NotReady as error:
        if request.query_params or not wants_page(request):
            raise
        return start(detail_of(error), resources.settings().site_url)
    return answered(request, query, answer, resources.settings().site_url)


async def facets_by_address(request: Request, timing: Timing) -> Response:
    query = query_of_get(request.query_params.multi_items())

    def work(query: Query) -> Response:
        return json_answer(resources.service(timing).facets(query, timing))

    if query.url is not None:
        return await _with_fetched(request, query, work)
    async with resources.texts.place(request) as place:
        return await place.run(lambda: work(query))


async def search_by_form(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> Response | Query:
        query = query_of_post(pairs, *images)
        return query if query.url is not None else _with_picture(request, query, timing)

    found = await with_form(request, work)
    if isinstance(found, Query):  # its picture must be fetched first
        return await _with_fetched(request, found, lambda q: _with_picture(request, q, timing))
    return found


async def search_by_json(request: Request, timing: Timing) -> Response:
    """Uses the threads for pictures only if the search has one."""
    checked(request.query_params.multi_items(), ())
    check_json(request.headers)
    too_large = f"the request is too large; a search may have at most {MAX_BYTES:,} bytes"

    def work(query: Query) -> Response:
        return json_answer(resources.service(timing).answer(query, timing))

    async with (
        resources.texts.place(request) as place,
        resources.arrivals.body(request, too_large) as body,
    ):

        def parse() -> Query:
            with body:  # frees the body
                return query_of_json(body.getvalue())

        query = await place.run(parse)
        if query.has_image:
            async with resources.pictures.place(request) as other:
                return await other.run(lambda: work(query))
        if query.url is None:
            return await place.run(lambda: work(query))
    return await _with_fetched(request, query, work)


async def _with_fetched(
    request: Request, query: Query, work: Callable[[Query], Response]
) -> Response:
    """Call `work` in a thread with the query whose `url` was fetched."""
    assert query.url is not None
    is_allowed = resources.settings().fetch_urls
    async with (
        resources.pictures.place(request) as place,
        resources.fetching.picture(query.url, is_allowed) as image,
    ):
        fetched = query.fetched(image)
        return await place.run(lambda: work(fetched))


def _with_picture(request: Request, query: Query, timing: Timing) -> Response:
    """For a browser, the picture becomes part of a link: of the next page's, or of the address
    to which a posted form redirects."""
    service = resources.service(timing)
    if wants_page(request) and query.cursor is None:
        query = service.as_link(query, timing)
        if request.method == "POST":
            return Response(status_code=303, headers={"Location": html.address_of(query)})
    return answered(request, query, service.answer(query, timing), resources.settings().site_url)
