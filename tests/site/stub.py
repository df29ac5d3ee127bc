"""A stub of the search function, and the answers that it may give."""

from urllib.parse import parse_qsl, urlsplit

from tests.support.http_double import Handler, HttpDouble


class StubSearch(HttpDouble):
    """Answers in the contract's shape with what a test put into `answers`.

    `answers`: "GET /status", "GET q=red", "POST /embed", … → (status, body, headers) or a
    function that returns it. `asked`: (method, path, parameters, body) of each request.
    """

    def __init__(self):
        self.answers = {
            "GET /status": (200, status(500)),
            "GET /embed": (200, {"embedding": [1.0], "dim": 1}),
        }
        self.asked = []
        super().__init__(Asked)

    def answer(self, handler):
        parts = urlsplit(handler.path)
        parameters = dict(parse_qsl(parts.query))
        self.asked.append((handler.command, parts.path, parameters, handler.body()))
        key = f"{handler.command} {parts.path if parts.path != '/' else parts.query}".strip()
        answer = self.answers.get(key) or problem(404, f"the test has no answer to {key!r}")
        status, content, *headers = answer() if callable(answer) else answer
        ours = {
            "Content-Type": f"application/{'json' if status < 400 else 'problem+json'}",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "Retry-After, Server-Timing",
        }
        handler.send(status, content, {**ours, **(headers[0] if headers else {})})


class Asked(Handler):
    def do_GET(self):
        self.double.answer(self)

    do_POST = do_GET


def status(indexed):
    photos = {"objects": None, "indexed": indexed, "failed": 0, "skipped": 0, "pending": None}
    space = {"version": "1.2.3", "model": "clipsearch-demo", "space": "4eff4b054a22", "commit": 3}
    return {**space, "updated": "2026-01-02T03:04:05.678Z", "photos": photos, "failures": []}


def problem(status, detail, **headers):
    content = {"type": "about:blank", "title": "A title", "status": status, "detail": detail}
    return status, content, headers


def answer(*results, next_cursor=None, **more):
    index = {"space": "4eff4b054a22", "commit": 3, "photos": 500}
    timing = {"load": 0.1, "encode": 4.2, "search": 0.3, "total": 5.0}
    body = {"results": list(results), "next_cursor": next_cursor, "index": index}
    return 200, {**body, "timing_ms": timing, **more}


def in_turn(*answers):
    """The first answer to the first request, and so on; the last one stays."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]
