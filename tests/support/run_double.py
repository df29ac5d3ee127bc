"""The Cloud Run Admin API in this process: the policies of services, with their etags.

https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/setIamPolicy
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.http_double import Handler, HttpDouble

LOST = "lost"  # a fault: make the change, but answer 503


class RunDouble(HttpDouble):
    """Holds the policy of one service. Each of the next writes uses up one of `faults`: a status,
    LOST, or bindings that somebody else writes just before."""

    def __init__(self, service: str, bindings: list[dict[str, Any]]) -> None:
        self.service = service
        self.bindings = bindings
        self.faults: deque[int | str | list[dict[str, Any]]] = deque()
        self.writes = 0
        self.requests: list[str] = []
        self._version = 1
        super().__init__(_Handler)

    @property
    def api(self) -> str:
        return f"{self.url}/v2"

    @property
    def policy(self) -> dict[str, Any]:
        shown = {"bindings": self.bindings} if self.bindings else {}
        return {"version": 1, "etag": f"etag-{self._version}", **shown}

    def write(self, bindings: list[dict[str, Any]]) -> None:
        self.bindings = bindings
        self._version += 1


class _Handler(Handler):
    def do_GET(self) -> None:
        double: RunDouble = self.double
        parts = urlsplit(self.path)
        double.requests.append(parts.path)
        is_known = parts.path == f"/v2/{double.service}:getIamPolicy"
        has_conditions = any("condition" in binding for binding in double.bindings)
        [asked] = parse_qs(parts.query).get("options.requestedPolicyVersion", ["1"])
        assert asked == "3" or not has_conditions
        self.send(200, double.policy) if is_known else self.send(403, _error(403))

    def do_POST(self) -> None:
        double: RunDouble = self.double
        double.requests.append(self.path)
        written = json.loads(self.body())["policy"]
        fault = double.faults.popleft() if double.faults else None
        if isinstance(fault, list):
            double.write(fault)
        if isinstance(fault, int):
            self.send(fault, _error(fault))
        elif self.path != f"/v2/{double.service}:setIamPolicy":
            self.send(403, _error(403))
        elif written["etag"] != double.policy["etag"]:
            self.send(409, _error(409))
        else:
            double.write(written.get("bindings", []))
            double.writes += 1
            status = 503 if fault == LOST else 200
            self.send(status, double.policy if status == 200 else _error(503))


def _error(code: int) -> dict[str, Any]:
    return {"error": {"code": code, "message": "said by the double", "status": "FAULT"}}
