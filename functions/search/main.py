"""Entry point `search`: the routes, and the headers of every response.

Imports nothing heavy, because the framework imports this before it forks. The first request that
needs search.engine.service imports it, in a thread of the pool.
"""

import functools
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import functions_framework.aio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from clipsearch import telemetry
from clipsearch.cpus import cpus
from clipsearch.errors import SettingsError
from clipsearch.images.decode import MAX_BYTES
from clipsearch.images.memory import memory_limit
from clipsearch.settings import Settings
from search.engine.errors import BadQuery
from search.engine.query import Query
from search.engine.timing import Timing
from search.http import docs, html, openapi
from search.http.access_log import write_line
from search.http.body import Arrivals
from search.http.cors import ANYONE, preflight_headers
from search.http.errors import UnknownPath, WrongMethod, problem_of
from search.http.fetching import Fetching
from search.http.form import FORM_OVERHEAD, check_content_type, parse_form
from search.http.params import (
    MAX_IMAGES,
    checked,
    labels_of,
    query_of_embed,
    query_of_get,
    query_of_post,
)
from search.http.pool import Pool
from search.http.responses import (
    answered,
    finished,
    json_answer,
    problem_response,
    start,
    wants_page,
)
from search.http.reuse import reusable

if TYPE_CHECKING:
    from search.engine.service import Service

# Texts and pictures have separate threads: a decode may block its thread for seconds until memory
# is free. Texts have more threads than cores, because they may wait for storage. More threads for
# pictures would make texts wait twice as long, and pictures no faster.
TEXT_WORKERS = min(8, 2 + cpus())
PICTURE_WORKERS = min(8, cpus())
# Requests of each kind at once, running or queued. Terraform sends an instance no more.
PLACES = 64
# Share of the process's memory for bodies that arrive or wait: of 2 GiB, ten of the largest.
BODIES_SHARE = 0.1

T = TypeVar("T")
Pairs = list[tuple[str, str]]
Handler = Callable[[Request, Timing], Awaitable[Response]]

texts = Pool("texts", TEXT_WORKERS, PLACES)
pictures = Pool("pictures", PICTURE_WORKERS, PLACES)
fetching = Fetching()
arrivals = Arrivals(MAX_BYTES + FORM_OVERHEAD, int(memory_limit() * BODIES_SHARE))
_service_lock = threading.Lock()


@functions_framework.aio.http
async def search(request: Request) -> Response:
    telemetry.begin(request.headers)
    timing, was_cold = Timing(), not _make_service.cache_info().currsize
    try:
        site_url, allowed = _settings().site_url, _settings().allowed_origins
    except SettingsError:  # the response is an error without details; let every page read it
        site_url, allowed = "", (ANYONE,)
    detail = ""
    try:
        response = await _answer(request, timing)
    except ClientDisconnect:
        detail = "the client disconnected"
        response = Response(status_code=400)  # only for the log
    except Exception as error:
        problem = problem_of(error)
        detail = problem.detail
        response = problem_response(request, problem, site_url)
    is_cold = was_cold and bool(_make_service.cache_info().currsize)
    write_line(request, response.status_code, detail, is_cold, timing)
    return finished(request, response, allowed)


async def _answer(request: Request, timing: Timing) -> Response:
    handlers = ROUTES.get(request.url.path)
    if handlers is None:
        raise UnknownPath(f"unknown path {request.url.path!r}; allowed: {', '.join(ROUTES)}")
    methods = [*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"]
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=preflight_headers(methods))
    handler = handlers.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        raise WrongMethod(request.method, methods)
    return await handler(request, timing)


async def _search_by_address(request: Request, timing: Timing) -> Response:
    if not request.query_params and wants_page(request):
        return start(_settings().site_url)
    query = query_of_get(request.query_params.multi_items())
    if query.url is not None:
        return await _search_by_url(request, query, timing)
    async with texts.place(request) as place:
        answer = await place.run(lambda: _service(timing).answer(query, timing))
    return answered(request, query, answer, _settings().site_url)


async def _search_by_form(request: Request, timing: Timing) -> Response:

    def work(pairs: Pairs, images: list[bytes]) -> Response | Query:
        query = query_of_post(pairs, *images)
        return query if query.url is not None else _with_picture(request, query, timing)

    found = await _with_form(request, work)
    if isinstance(found, Query):  # its picture must be fetched first
        return await _search_by_url(request, found, timing)
    return found


async def _search_by_url(request: Request, query: Query, timing: Timing) -> Response:
    assert query.url is not None
    is_allowed = _settings().fetch_urls
    async with (
        pictures.place(request) as place,
        fetching.picture(query.url, is_allowed) as image,
    ):
        fetched = replace(query, url=None, image=image)
        return await place.run(lambda: _with_picture(request, fetched, timing))


def _with_picture(request: Request, query: Query, timing: Timing) -> Response:
    """For a browser, the picture becomes part of a link: of the next page's, or of the address
    to which a posted form redirects."""
    service = _service(timing)
    if wants_page(request) and query.cursor is None:
        query = service.as_link(query, timing)
        if request.method == "POST":
            return Response(status_code=303, headers={"Location": html.address_of(query)})
    return answered(request, query, service.answer(query, timing), _settings().site_url)


async def _classify(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> dict[str, Any]:
        labels = labels_of(pairs)
        if not images:
            raise BadQuery("nothing to classify; post a picture as the field image")
        return _service(timing).classify(images, labels, timing)

    return json_answer(await _with_form(request, work, MAX_IMAGES))


async def _embed_by_address(request: Request, timing: Timing) -> Response:
    query = query_of_embed(request.query_params.multi_items())
    async with texts.place(request) as place:
        return json_answer(await place.run(lambda: _service(timing).embed(query, timing)))


async def _embed_by_form(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> dict[str, Any]:
        return _service(timing).embed(query_of_embed(pairs, *images), timing)

    return json_answer(await _with_form(request, work))


async def _with_form(
    request: Request, work: Callable[[Pairs, list[bytes]], T], most_images: int = 1
) -> T:
    """Call `work(pairs, images)` in a thread.

    `pairs`: the text fields and the parameters of the URL. `images`: the bytes of the pictures.
    """
    check_content_type(request.headers)
    a_picture = "a picture" if most_images == 1 else "all pictures together"
    too_large = f"the request is too large; {a_picture} may have at most {MAX_BYTES:,} bytes"
    async with pictures.place(request) as place, arrivals.body(request, too_large) as body:

        def parse_and_work() -> T:
            with body:  # frees the body: else a picture is in memory twice during the work
                fields, images = parse_form(request.headers, body, most_images)
            pairs = [*request.query_params.multi_items(), *fields]
            request.state.words = dict(pairs).get("q", "")  # for the error page
            return work(pairs, images)

        return await place.run(parse_and_work)


async def _status(request: Request, timing: Timing) -> Response:
    checked(request.query_params.multi_items(), ())
    async with texts.place(request) as place:
        return JSONResponse(await place.run(lambda: _service(timing).status()))


async def _health(request: Request, timing: Timing) -> Response:
    return JSONResponse({"status": "ok"})


async def _openapi(request: Request, timing: Timing) -> Response:
    checked(request.query_params.multi_items(), ())
    return reusable(request, Response(openapi.document(), media_type="application/json"))


async def _docs(request: Request, timing: Timing) -> Response:
    checked(request.query_params.multi_items(), ())
    return reusable(request, HTMLResponse(docs.page(), headers=docs.headers()))


ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": _search_by_address, "POST": _search_by_form},
    "/classify": {"POST": _classify},
    "/embed": {"GET": _embed_by_address, "POST": _embed_by_form},
    "/status": {"GET": _status},
    "/health": {"GET": _health},
    "/openapi.json": {"GET": _openapi},
    "/docs": {"GET": _docs},
}


@functools.cache
def _settings() -> Settings:
    return Settings.from_env()


def _service(timing: Timing) -> "Service":
    # functools.cache alone could make two at once
    with timing.phase("load"), _service_lock:
        return _make_service()


@functools.cache
def _make_service() -> "Service":
    from search.engine.service import Service

    return Service(_settings())
