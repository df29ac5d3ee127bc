"""The body of a POST: read within a limit, taken apart as a multipart form."""

import asyncio
import io
from collections.abc import Mapping

from starlette.requests import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from search.problems import BadRequest, TooLarge, TooSlow, WrongContentType

IMAGE_FIELD = "image"
FORM_TYPE = "multipart/form-data"

# Bytes of everything in a form that is not the picture. Werkzeug's limit for text fields must
# exceed its read buffer (64 KiB), for it counts what it has not looked at yet.
FORM_OVERHEAD = 262_144
MAX_PARTS = 256  # a picture and its labels are 101

# Seconds. A body takes one of the pool's places while it arrives; stalled uploads would starve
# every search. The largest picture comes in time at 5.4 Mbit/s.
MAX_ARRIVAL = 30


async def read_body(request: Request, max_image: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it is known to be, WrongContentType, and
    TooSlow if it is not there after MAX_ARRIVAL."""
    if _content_type(request.headers)[0] != FORM_TYPE:
        raise WrongContentType(f"a picture is posted as {FORM_TYPE}, in the field {IMAGE_FIELD}")
    limit = max_image + FORM_OVERHEAD
    too_large = TooLarge(f"the request is too large; a picture may have {max_image:,} bytes")
    if int(request.headers.get("content-length", "0")) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(MAX_ARRIVAL):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError as error:
        raise TooSlow(f"the request did not arrive within {MAX_ARRIVAL} seconds") from error
    return bytes(body)


def parse_form(
    headers: Mapping[str, str], body: bytes
) -> tuple[list[tuple[str, str]], bytes | None]:
    """(the text fields, the picture or None). Raises BadRequest, TooLarge.

    An empty file without a name is what a browser sends for a file field left alone.
    """
    boundary = _content_type(headers)[1].get("boundary", "")
    parser = MultiPartParser(
        stream_factory=lambda *_, **__: io.BytesIO(),
        max_form_memory_size=FORM_OVERHEAD,
        max_form_parts=MAX_PARTS,
    )
    try:
        if not boundary:
            raise ValueError("no boundary in its Content-Type")
        fields, files = parser.parse(io.BytesIO(body), boundary.encode("ascii"), len(body))
    except RequestEntityTooLarge as error:
        raise TooLarge("the text fields of the form are too large") from error
    except ValueError as error:
        raise BadRequest(f"the body is not valid {FORM_TYPE}: {error}") from error

    if IMAGE_FIELD in fields:
        raise BadRequest(f"{IMAGE_FIELD} must be a file, with a filename, not a text field")
    images = []
    for name, file in files.items(multi=True):
        data = file.stream.read()
        if not data and not file.filename:
            continue
        if name != IMAGE_FIELD:
            raise BadRequest(f"unknown file {name!r}; allowed: {IMAGE_FIELD}")
        images.append(data)
    if len(images) > 1:
        raise BadRequest(f"parameter {IMAGE_FIELD} is given more than once")
    texts = [(str(name), value) for name, value in fields.items(multi=True)]
    return texts, images[0] if images else None


def _content_type(headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    value, options = parse_options_header(headers.get("content-type"))
    return value.lower(), options
