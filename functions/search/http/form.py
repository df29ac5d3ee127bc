"""Parses the body of a POST as a multipart form."""

import io
from collections.abc import Mapping
from typing import cast

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from search.http.errors import BadRequest, TooLarge, WrongContentType

IMAGE_FIELD = "image"
FORM_TYPE = "multipart/form-data"

# Bytes of a form without its pictures. Werkzeug's limit for text fields must exceed its read
# buffer (64 KiB), because it also counts unparsed bytes.
FORM_OVERHEAD = 262_144
MAX_PARTS = 256  # eight pictures and a hundred labels need 108


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raises WrongContentType."""
    if _content_type(headers)[0] != FORM_TYPE:
        raise WrongContentType(f"post the picture as {FORM_TYPE}, in the field {IMAGE_FIELD}")


def parse_form(
    headers: Mapping[str, str], body: io.BytesIO, most_images: int = 1
) -> tuple[list[tuple[str, str]], list[bytes]]:
    """Return (the text fields, the pictures in their order). Raises BadRequest, TooLarge.

    Ignores empty files without a name: browsers send them for unused file fields.
    """
    boundary = _content_type(headers)[1].get("boundary", "")
    parser = MultiPartParser(
        stream_factory=lambda *_, **__: io.BytesIO(),
        max_form_memory_size=FORM_OVERHEAD,
        max_form_parts=MAX_PARTS,
    )
    try:
        if not boundary:
            raise ValueError("Content-Type has no boundary")
        fields, files = parser.parse(body, boundary.encode("ascii"), body.getbuffer().nbytes)
    except RequestEntityTooLarge as error:
        raise TooLarge(
            f"the form is too large; allowed: {FORM_OVERHEAD:,} bytes of text, {MAX_PARTS} parts"
        ) from error
    except ValueError as error:
        raise BadRequest(f"the body is not valid {FORM_TYPE}: {error}") from error

    if IMAGE_FIELD in fields:
        raise BadRequest(f"{IMAGE_FIELD} is a text field; it must be a file with a filename")
    images = []
    for name, file in files.items(multi=True):
        data = cast(io.BytesIO, file.stream).getvalue()  # read() would copy it
        if not data and not file.filename:
            continue
        if name != IMAGE_FIELD:
            raise BadRequest(f"unknown file {name!r}; allowed: {IMAGE_FIELD}")
        images.append(data)
    if len(images) > most_images:
        times = "once" if most_images == 1 else f"{most_images} times"
        raise BadRequest(f"parameter {IMAGE_FIELD} is given more than {times}")
    texts = [(str(name), value) for name, value in fields.items(multi=True)]
    return texts, images


def _content_type(headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    value, options = parse_options_header(headers.get("content-type"))
    return value.lower(), options
