"""Passes requests on to the search function, which listens on this machine only.

The page, the photos and the search then have one port, and the page needs no other URL.
"""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import string
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote, urlsplit

ANSWER_SECONDS = 300.0  # a cold start may load a large index
CHUNK = 64 * 1024  # bytes
DRAINED = 32_000_000  # bytes of a refused body that are read, so that the client sees the answer
RETRY_AFTER = 1  # seconds
# Of one connection (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1), or written anew.
NOT_PASSED_ON = (
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade", "expect", "host", "x-forwarded-for"),
)


class _ClientGone(OSError):
    """Nobody waits for the answer any more."""


def forward(handler: BaseHTTPRequestHandler, url: str, path: str) -> None:
    """Answer the request of `handler` with the answer of `url` to `path`, with its ?query.

    If no whole answer comes, it sends a problem as the search function does: 502, 503 or 504.
    OSError if the client goes; this also ends the request to `url`.
    """
    length = _body_length(handler)
    if length is None:
        return
    host = urlsplit(url)
    upstream = http.client.HTTPConnection(host.hostname or "", host.port, timeout=ANSWER_SECONDS)
    try:
        unread = _send(handler, upstream, path, length)
        _wait(handler, upstream)
        answer = upstream.getresponse()
    except _ClientGone:
        handler.close_connection = True
        return
    except ConnectionRefusedError:
        _problem(handler, HTTPStatus.SERVICE_UNAVAILABLE, "search is starting or has stopped")
        return
    except TimeoutError:
        detail = f"search did not answer within {ANSWER_SECONDS:.0f} seconds"
        _problem(handler, HTTPStatus.GATEWAY_TIMEOUT, detail)
        return
    except (OSError, http.client.HTTPException):
        _problem(handler, HTTPStatus.BAD_GATEWAY, "search ended the connection without an answer")
        return
    except ValueError:  # a header that must not be sent on
        _problem(handler, HTTPStatus.BAD_REQUEST, "a header of the request is invalid")
        return
    else:
        _answer(handler, answer, unread)
    finally:
        upstream.close()


def _body_length(handler: BaseHTTPRequestHandler) -> int | None:
    """Bytes of the body; None after an answer to a request without a valid length."""
    length = handler.headers.get("Content-Length", "0")
    if "Transfer-Encoding" in handler.headers:
        _problem(handler, HTTPStatus.LENGTH_REQUIRED, "the request has no Content-Length")
    elif not (length.isascii() and length.isdigit()):
        _problem(handler, HTTPStatus.BAD_REQUEST, f"Content-Length {length!r} is not a number")
    else:
        return int(length)
    return None


def _send(
    handler: BaseHTTPRequestHandler, upstream: http.client.HTTPConnection, path: str, length: int
) -> int:
    """Send the request. Stop early if the answer is there: it refuses the rest of the body.

    Returns how many bytes of the body were not read from the client.
    """
    # Clients may send bytes that are no ASCII; here they are Latin-1.
    path = quote(path.encode("latin-1"), safe=string.punctuation)
    upstream.putrequest(handler.command, path, skip_accept_encoding=True)
    for name, value in handler.headers.items():
        if name.lower() not in NOT_PASSED_ON:
            upstream.putheader(name, value)
    before = handler.headers.get("X-Forwarded-For")
    client = handler.client_address[0]
    upstream.putheader("X-Forwarded-For", f"{before}, {client}" if before else client)
    upstream.endheaders()
    for data in _body(handler, length):
        length -= len(data)
        try:
            upstream.send(data)
        except (BrokenPipeError, ConnectionResetError):
            break
        if _is_readable(upstream):
            break
    return length


def _body(handler: BaseHTTPRequestHandler, length: int) -> Iterator[bytes]:
    while length > 0:
        try:
            # read1: a slow client's bytes go on as they come, and the function sees its rate
            data = handler.rfile.read1(min(CHUNK, length))
        except OSError as error:
            raise _ClientGone from error
        if not data:
            raise _ClientGone
        length -= len(data)
        yield data


def _is_readable(upstream: http.client.HTTPConnection) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(upstream.sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def _wait(handler: BaseHTTPRequestHandler, upstream: http.client.HTTPConnection) -> None:
    """Wait for the answer. _ClientGone if the client does not: the function then stops too."""
    with selectors.DefaultSelector() as selector:
        answer = selector.register(upstream.sock, selectors.EVENT_READ)
        client = selector.register(handler.connection, selectors.EVENT_READ)
        while True:
            ready = [key for key, _ in selector.select(ANSWER_SECONDS)]
            if answer in ready:
                return
            if client not in ready:
                raise TimeoutError
            if not handler.connection.recv(1, socket.MSG_PEEK):
                raise _ClientGone
            selector.unregister(handler.connection)  # its next request waits


def _answer(handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse, unread: int) -> None:
    handler.send_response_only(answer.status, answer.reason)
    for name, value in answer.getheaders():
        if name.lower() not in NOT_PASSED_ON:
            handler.send_header(name, value)
    has_end = answer.length is not None or handler.command == "HEAD"
    if unread or not has_end:
        handler.send_header("Connection", "close")
    handler.end_headers()
    if handler.command != "HEAD":
        while data := answer.read1(CHUNK):
            handler.wfile.write(data)
        if answer.length:  # search has ended within its answer
            handler.close_connection = True
    if unread:
        _drain(handler, min(unread, DRAINED))


def _drain(handler: BaseHTTPRequestHandler, unread: int) -> None:
    """Read what the client still sends. If we closed before, it might not see the answer."""
    while unread > 0 and (data := handler.rfile.read(min(CHUNK, unread))):
        unread -= len(data)


def _problem(handler: BaseHTTPRequestHandler, status: HTTPStatus, detail: str) -> None:
    """As search.http.errors has them. The connection ends: the body may be unread."""
    body = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/problem+json")
    handler.send_header("Content-Length", str(len(data)))
    handler.send_header("Cache-Control", "no-store")
    handler.send_header("Connection", "close")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        handler.send_header("Retry-After", str(RETRY_AFTER))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)
