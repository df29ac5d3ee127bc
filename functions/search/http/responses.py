"""Answers and problems as JSON or as a page, and the headers of every response."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from search.engine.query import Query
from search.engine.timing import server_timing
from search.http import html
from search.http.compression import compress
from search.http.cors import cors_headers
from search.http.errors import MEDIA_TYPE, Problem


def wants_page(request: Request) -> bool:
    return html.wants_page(request.headers.get("accept"))


def answered(request: Request, query: Query, answer: dict[str, Any], site_url: str) -> Response:
    """The answer of a search."""
    if wants_page(request):
        timing = {"Server-Timing": server_timing(answer["timing_ms"])}
        text = html.answer_page(query, answer, site_url)
        return HTMLResponse(text, headers=timing | html.headers(site_url))
    return json_answer(answer)


def start(line: str, site_url: str) -> Response:
    """The form alone, with this line."""
    return HTMLResponse(html.start_page(line, site_url), headers=html.headers(site_url))


def json_answer(answer: dict[str, Any]) -> Response:
    return JSONResponse(answer, headers={"Server-Timing": server_timing(answer["timing_ms"])})


def problem_response(request: Request, problem: Problem, site_url: str) -> Response:
    if wants_page(request):
        words = getattr(request.state, "words", request.query_params.get("q", ""))
        text = html.problem_page(problem, words, site_url)
        headers = {**problem.headers, **html.headers(site_url)}
        return HTMLResponse(text, problem.status, headers=headers)
    return JSONResponse(problem.body(), problem.status, problem.headers, MEDIA_TYPE)


def finished(request: Request, response: Response, allowed: Sequence[str]) -> Response:
    """Add the headers of every response, and compress it. For HEAD the server sends no body.

    `allowed`: the origins that may read it.
    """
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Vary"] = "Accept, Accept-Encoding"
    for name, value in cors_headers(request.headers.get("origin"), allowed).items():
        response.headers.append(name, value)
    compress(request, response)
    return response
