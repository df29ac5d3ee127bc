"""ETag and 304: a client that has a response already need not load it again."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from werkzeug.http import parse_etags


def reusable(request: Request, response: Response) -> Response:
    """Return `response` with an ETag, or a 304 if the client has it.

    The tag is weak, because the body may be compressed.
    """
    tag = hashlib.sha256(response.body).hexdigest()[:32]
    if parse_etags(request.headers.get("if-none-match")).contains_weak(tag):
        response = Response(status_code=304)
    response.headers["ETag"] = f'W/"{tag}"'
    response.headers["Cache-Control"] = "no-cache"  # keep it, but ask each time
    return response
