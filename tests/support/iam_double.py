"""The one call of the IAM Credentials API that `search` makes, in this process, and Cloud
Storage's check of what comes of it.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
https://cloud.google.com/storage/docs/authentication/canonical-requests
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class IamDouble:
    """Signs as `account`, on a free port; `endpoint` is what google.auth.iam must ask.
    `faults` are the statuses of the next answers; `requests` counts all."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.key = rsa.generate_private_key(65537, 2048)
        self.faults: deque[int] = deque()
        self.requests = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.double = self
        host = f"http://127.0.0.1:{self._server.server_port}"
        self.endpoint = f"{host}/v1/projects/-/serviceAccounts/{{}}:signBlob"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def opens(self, url: str, moment: datetime | None = None) -> str | None:
        """The object (bucket/name, quoted) that Cloud Storage would give for `url` at `moment`;
        None if it would refuse."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=True))
        signature = bytes.fromhex(query.pop("X-Goog-Signature"))
        signed_at = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        moment = moment or datetime.now(UTC)
        life = timedelta(seconds=int(query["X-Goog-Expires"]))
        scope = f"{signed_at:%Y%m%d}/auto/storage/goog4_request"
        if query["X-Goog-Credential"] != f"{self.account}/{scope}":
            return None
        if not signed_at - timedelta(minutes=15) <= moment <= signed_at + life:
            return None
        pairs = [
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items())
        ]
        canonical = "\n".join(
            [
                "GET",
                parts.path,
                "&".join(pairs),
                f"host:{parts.netloc}\n",
                "host",
                "UNSIGNED-PAYLOAD",
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join(["GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, digest])
        try:
            self.key.public_key().verify(
                signature, text.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return None
        return parts.path.removeprefix("/")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    double: IamDouble


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        double = self.server.double
        double.requests += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status: int = 200
        answer: dict[str, Any] = {}
        if double.faults:
            status = double.faults.popleft()
            answer = {"error": {"code": status, "message": "a fault", "status": "FAULT"}}
        elif self.path != f"/v1/projects/-/serviceAccounts/{double.account}:signBlob":
            status = 404
        else:
            payload = base64.b64decode(body["payload"], validate=True)
            signature = double.key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
            answer = {"keyId": "1", "signedBlob": base64.b64encode(signature).decode()}
        content = json.dumps(answer).encode()
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
