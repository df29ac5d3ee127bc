"""The IAM Credentials API in this process, with the one call that `search` makes; and Cloud
Storage's check of the signed URLs.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
https://cloud.google.com/storage/docs/authentication/canonical-requests
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.http_double import Handler, HttpDouble


class IamDouble(HttpDouble):
    """Signs as `account`, on a free port; `endpoint` is the value for google.auth.iam.
    `faults` are the statuses of the next answers; `requests` counts all requests."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.key = rsa.generate_private_key(65537, 2048)
        self.faults: deque[int] = deque()
        self.requests = 0
        super().__init__(_Handler)
        self.endpoint = f"{self.url}/v1/projects/-/serviceAccounts/{{}}:signBlob"

    def opens(self, url: str, moment: datetime | None = None) -> str | None:
        """The object (bucket/name, quoted) that Cloud Storage would return for `url` at `moment`;
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


class _Handler(Handler):
    def do_POST(self) -> None:
        double: IamDouble = self.double
        double.requests += 1
        body = json.loads(self.body())
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
        self.send(status, answer, {"Connection": "close"})
