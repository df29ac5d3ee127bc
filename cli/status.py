"""`make status`: what `search` says about its index, to be read by a person."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from http.client import HTTPResponse
from typing import Any, cast

from cli.common.localhost import open_local
from clipsearch.text import printable

LOCAL = "http://127.0.0.1:8081"  # of make run
SECONDS = 60.0  # a cold start loads the index


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cli.status", description=__doc__)
    parser.add_argument("url", nargs="?", default=LOCAL, help=f"of search (default: {LOCAL})")
    url = parser.parse_args().url.rstrip("/")
    try:
        print("\n".join(map(printable, lines_of(_status(f"{url}/status")))))
    except urllib.error.HTTPError as error:
        print(
            f"clipsearch: {url} answers {error.code}: {printable(_detail(error))}", file=sys.stderr
        )
        return 1
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        print(f"clipsearch: {url}/status cannot be read: {printable(str(reason))}", file=sys.stderr)
        return 1
    return 0


def lines_of(status: dict[str, Any]) -> list[str]:
    photos, reconciled = status["photos"], status["reconciled"]
    lines = [
        f"model       {status['model']} (space {status['space']})",
        f"indexed     {photos['indexed']:,}",
        f"failed      {photos['failed']:,}",
        f"skipped     {photos['skipped']:,}",
        f"pending     {_known(photos['pending'])}",
        f"in bucket   {_known(photos['objects'])}",
        f"updated     {status['updated'] or 'never'}, commit {status['commit']}",
        f"reconciled  {reconciled['at'] if reconciled else 'never'}",
    ]
    if refused := status.get("refused_model"):
        lines.append(f"refused     model {refused['space']}: {refused['reason']}")
    for failure in status["failures"]:
        lines.append(f"cannot be indexed: {failure['name']}: {failure['reason']} ({failure['at']})")
    if photos["failed"] > len(status["failures"]):
        lines.append(f"… and {photos['failed'] - len(status['failures'])} more")
    for damaged in status["damaged"]:
        lines.append(f"damaged: {damaged['object']}: {damaged['reason']}")
    return lines


def _known(number: int | None) -> str:
    return "unknown before the first reconcile" if number is None else f"{number:,}"


def _status(url: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    is_local = url.startswith(("http://127.0.0.1", "http://localhost"))
    open_ = open_local if is_local else _open
    with open_(url, SECONDS) as answer:
        status: dict[str, Any] = json.load(answer)
    return status


def _open(url: str, seconds: float) -> HTTPResponse:
    return cast(HTTPResponse, urllib.request.urlopen(url, timeout=seconds))


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)


if __name__ == "__main__":
    sys.exit(main())
