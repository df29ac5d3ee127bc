"""Entry point `search`: the routes, and the headers of every response.

Imports nothing heavy, because the framework imports this before it forks. The first request that
needs search.engine.service imports it, in a thread of the pool.
"""

import functools
import threading
from collections.abc import Awaitable, Callable
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
from search.engine.timing import Timing, server_timing
from search.http import html, openapi
from search.http.access_log import write_line
from search.http.body import Arrivals
from search.http.cors import ANYONE, cors_headers, preflight_headers
from search.http.errors import (
    MEDIA_TYPE,
    Problem,
    UnknownPath,
    WrongMethod,
    problem_of,
)
from search.http.form import FORM_OVERHEAD, check_content_type, parse_form
from search.http.json_query import check_json, query_of_json
from search.http.params import (
    MAX_IMAGES,
    checked,
    labels_of,
    query_of_get,
    query_of_post,
    term_of_embed,
)
from search.http.pool import Pool

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
arrivals = Arrivals(MAX_BYTES + FORM_OVERHEAD, int(memory_limit() * BODIES_SHARE))
_service_lock = threading.Lock()


@functions_framework.aio.http
async def search(request: Request) -> Response:
    telemetry.begin(request.headers)
    timing, was_cold = Timing(), not _make_service.cache_info().currsize
    detail = ""
    try:
        response = await _answer(request, timing)
    except ClientDisconnect:
        detail = "the client disconnected"
        response = Response(status_code=400)  # only for the log
    except Exception as error:
        problem = problem_of(error)
        detail = problem.detail
        response = _problem(request, problem)
    is_cold = was_cold and bool(_make_service.cache_info().currsize)
    write_line(request, response.status_code, detail, is_cold, timing)
    return _finished(request, response)


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
    query = query_of_get(request.query_params.multi_items())
    async with texts.place(request) as place:
        answer = await place.run(lambda: _service(timing).answer(query, timing))
    return _answered(request, query, answer)


async def _search_by_form(request: Request, timing: Timing) -> Response:
    """Redirects a browser to the URL of its search, so that it becomes a link."""
    is_for_page = html.wants_page(request.headers.get("accept"))

    def work(pairs: Pairs, images: list[bytes]) -> Response:
        query = query_of_post(pairs, *images)
        service = _service(timing)
        if is_for_page and query.cursor is None:
            address = html.address_of(service.as_link(query, timing))
            return Response(status_code=303, headers={"Location": address})
        return _answered(request, query, service.answer(query, timing))

    return await _with_form(request, work)


async def _search_by_json(request: Request, timing: Timing) -> Response:
    """Uses the threads for pictures only if the search has one."""
    checked(request.query_params.multi_items(), ())
    check_json(request.headers)
    too_large = f"the request is too large; a search may have at most {MAX_BYTES:,} bytes"
    async with texts.place(request) as place, arrivals.body(request, too_large) as body:

        def parse() -> Query:
            with body:  # frees the body
                return query_of_json(body.getvalue())

        def work() -> dict[str, Any]:
            return _service(timing).answer(query, timing)

        query = await place.run(parse)
        if all(term.image is None for term in query.terms):
            return _json(await place.run(work))
        async with pictures.place(request) as other:
            return _json(await other.run(work))


async def _classify(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> dict[str, Any]:
        labels = labels_of(pairs)
        if not images:
            raise BadQuery("nothing to classify; post a picture as the field image")
        return _service(timing).classify(images, labels, timing)

    return _json(await _with_form(request, work, MAX_IMAGES))


async def _embed_by_address(request: Request, timing: Timing) -> Response:
    term = term_of_embed(request.query_params.multi_items())
    async with texts.place(request) as place:
        return _json(await place.run(lambda: _service(timing).embed(term, timing)))


async def _embed_by_form(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> dict[str, Any]:
        return _service(timing).embed(term_of_embed(pairs, *images), timing)

    return _json(await _with_form(request, work))


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
            # for the error page
            request.state.words = " ".join(value for name, value in pairs if name == "q")
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
    return Response(openapi.document(), media_type="application/json")


ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": _search_by_address, "POST": _search_by_form},
    "/search": {"POST": _search_by_json},
    "/classify": {"POST": _classify},
    "/embed": {"GET": _embed_by_address, "POST": _embed_by_form},
    "/status": {"GET": _status},
    "/health": {"GET": _health},
    "/openapi.json": {"GET": _openapi},
}


def _answered(request: Request, query: Query, answer: dict[str, Any]) -> Response:
    if html.wants_page(request.headers.get("accept")):
        site_url = _settings().site_url
        timing = {"Server-Timing": server_timing(answer["timing_ms"])}
        text = html.answer_page(query, answer, site_url)
        return HTMLResponse(text, headers=timing | html.headers(site_url))
    return _json(answer)


def _json(answer: dict[str, Any]) -> Response:
    return JSONResponse(answer, headers={"Server-Timing": server_timing(answer["timing_ms"])})


def _problem(request: Request, problem: Problem) -> Response:
    if html.wants_page(request.headers.get("accept")):
        try:
            site_url = _settings().site_url
        except SettingsError:
            site_url = ""
        words = getattr(request.state, "words", request.query_params.get("q", ""))
        text = html.problem_page(problem, words, site_url)
        headers = {**problem.headers, **html.headers(site_url)}
        return HTMLResponse(text, problem.status, headers=headers)
    return JSONResponse(problem.body(), problem.status, problem.headers, MEDIA_TYPE)


def _finished(request: Request, response: Response) -> Response:
    """Add the headers of every response. For HEAD the server leaves out the body."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    try:
        allowed = _settings().allowed_origins
    except SettingsError:
        allowed = (ANYONE,)  # the response is an error without details; let every page read it
    for name, value in cors_headers(request.headers.get("origin"), allowed).items():
        response.headers.append(name, value)
    return response


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
