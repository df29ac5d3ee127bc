"""Requests with a form: read it, and work on it in a thread for pictures."""

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from clipsearch.images.limits import MAX_BYTES
from search import resources
from search.http.form import check_content_type, parse_form

T = TypeVar("T")
Pairs = list[tuple[str, str]]


async def with_form(
    request: Request, work: Callable[[Pairs, list[bytes]], T], most_images: int = 1
) -> T:
    """Call `work(pairs, images)` in a thread.

    `pairs`: the parameters of the URL, then the text fields. `images`: the bytes of the pictures.
    """
    check_content_type(request.headers)
    a_picture = "a picture" if most_images == 1 else "all pictures together"
    too_large = f"the request is too large; {a_picture} may have at most {MAX_BYTES:,} bytes"
    async with (
        resources.pictures.place(request) as place,
        resources.arrivals.body(request, too_large) as body,
    ):

        def parse_and_work() -> T:
            with body:  # frees the body: else a picture is in memory twice during the work
                fields, images = parse_form(request.headers, body, most_images)
            pairs = [*request.query_params.multi_items(), *fields]
            # for the error page
            request.state.words = " ".join(value for name, value in pairs if name == "q")
            return work(pairs, images)

        return await place.run(parse_and_work)
