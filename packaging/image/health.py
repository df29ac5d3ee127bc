"""The image's HEALTHCHECK: exit code 0 if the function or the page answers."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

SECONDS = 8.0
# ingest takes events only: 405 is an answer, too.
PATHS = {"search": ("/health", 200), "ingest": ("/", 405)}
RUN = ("/search/health", 200)


def is_healthy(environ: Mapping[str, str]) -> bool:
    path, expected = PATHS.get(environ.get("FUNCTION_TARGET") or "", RUN)
    port = int(environ.get("PORT") or "8080")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == expected
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_healthy(os.environ))
