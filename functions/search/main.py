"""Entry point `search`: the routes, and the headers of every response.

Imports nothing heavy, because the framework imports this before it forks. The first request that
needs search.engine.service imports it, in a thread of the pool.
"""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import functions_framework.aio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from clipsearch import telemetry
from clipsearch.errors import SettingsError
from search import gate, resources
from search.engine.errors import BadQuery
from search.engine.timing import Timing
from search.forms import Pairs, with_form
from search.http import docs, openapi, site
from search.http.access_log import write_line
from search.http.cors import ANYONE, preflight_headers
from search.http.errors import UnknownPath, WrongMethod, problem_of
from search.http.params import MAX_IMAGES, checked, labels_of, term_of_embed
from search.http.responses import finished, json_answer, problem_response, wants_page
from search.http.reuse import reusable
from search.searches import (
    facets_by_address,
    search_by_address,
    search_by_form,
    search_by_json,
)

Handler = Callable[[Request, Timing], Awaitable[Response]]


@functions_framework.aio.http
async def search(request: Request) -> Response:
    telemetry.begin(request.headers)
    timing, was_cold = Timing(), not resources.has_service()
    try:
        settings = resources.settings()
        site_url, allowed = settings.site_url, settings.allowed_origins
        share = settings.log_sample
    except SettingsError:  # the response is an error without details; let every page read it
        site_url, allowed, share = "", (ANYONE,), 1.0
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
    if not gc.isenabled() and request.url.path != gate.ALWAYS_OPEN:
        gc.freeze()  # what was imported stays
        gc.enable()  # see functions/main.py
    is_cold = was_cold and resources.has_service()
    write_line(request, response.status_code, detail, is_cold, timing, share)
    return finished(request, response, allowed)


async def _answer(request: Request, timing: Timing) -> Response:
    gate.check(request)
    path = request.url.path
    handlers = ROUTES.get(path)
    if path.startswith(site.PREFIX) and resources.settings().site:
        handlers = {"GET": _page}
    if handlers is None:
        raise UnknownPath(f"unknown path {path!r}; allowed: {', '.join(ROUTES)}")
    methods = [*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"]
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=preflight_headers(methods))
    handler = handlers.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        raise WrongMethod(request.method, methods)
    return await handler(request, timing)


async def _search(request: Request, timing: Timing) -> Response:
    """For a browser without a query, the page, if this function serves it."""
    has_page = bool(resources.settings().site)
    if has_page and not request.query_params and wants_page(request):
        return Response(status_code=302, headers={"Location": site.PREFIX.lstrip("/")})
    return await search_by_address(request, timing)


async def _page(request: Request, timing: Timing) -> Response:
    return site.page_file(request, resources.settings())


async def _classify(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> dict[str, Any]:
        labels = labels_of(pairs)
        if not images:
            raise BadQuery("nothing to classify; post a picture as the field image")
        return resources.service(timing).classify(images, labels, timing)

    return json_answer(await with_form(request, work, MAX_IMAGES))


async def _embed_by_address(request: Request, timing: Timing) -> Response:
    term = term_of_embed(request.query_params.multi_items())
    async with resources.texts.place(request) as place:
        answer = await place.run(lambda: resources.service(timing).embed(term, timing))
    return json_answer(answer)


async def _embed_by_form(request: Request, timing: Timing) -> Response:
    def work(pairs: Pairs, images: list[bytes]) -> dict[str, Any]:
        return resources.service(timing).embed(term_of_embed(pairs, *images), timing)

    return json_answer(await with_form(request, work))


async def _status(request: Request, timing: Timing) -> Response:
    checked(request.query_params.multi_items(), ())
    async with resources.texts.place(request) as place:
        return JSONResponse(await place.run(lambda: resources.service(timing).status()))


async def _health(request: Request, timing: Timing) -> Response:
    return JSONResponse({"status": "ok"})


async def _openapi(request: Request, timing: Timing) -> Response:
    checked(request.query_params.multi_items(), ())
    return reusable(request, Response(openapi.document(), media_type="application/json"))


async def _docs(request: Request, timing: Timing) -> Response:
    checked(request.query_params.multi_items(), ())
    return reusable(request, HTMLResponse(docs.page(), headers=docs.headers()))


ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": _search, "POST": search_by_form},
    "/search": {"POST": search_by_json},
    "/facets": {"GET": facets_by_address},
    "/classify": {"POST": _classify},
    "/embed": {"GET": _embed_by_address, "POST": _embed_by_form},
    "/status": {"GET": _status},
    "/health": {"GET": _health},
    "/openapi.json": {"GET": _openapi},
    "/docs": {"GET": _docs},
}
