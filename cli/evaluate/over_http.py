"""Searches for some captions again, over HTTP, and compares the answers."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cli.common.errors import RunError
from cli.common.localhost import HOST, open_local
from cli.common.processes import Function, end_functions, start_function, wait_until_up
from cli.evaluate.asking import DEPTH, first_hits
from cli.evaluate.library import Library

SAMPLE = 20  # captions
SECONDS = 300.0  # for an answer; the first one loads model and index
SCORE_TOLERANCE = 1e-5


def ask_over_http(library: Library, index_url: str, texts: Sequence[str]) -> dict[str, Any]:
    """How many texts were `asked`, and how many answers are the `same`, name by name.

    RunError if the function does not answer, or has another index by now.
    """
    sample = texts[:: -(-len(texts) // SAMPLE)]
    with tempfile.TemporaryDirectory(prefix="clipsearch-") as folder:
        function = _start(library, index_url, Path(folder))
        try:
            wait_until_up(function, "health", threading.Event())
            same = sum(_is_same(library, function, text) for text in sample)
        finally:
            end_functions([function])
    return {"asked": len(sample), "same": same}


def _start(library: Library, index_url: str, folder: Path) -> Function:
    nowhere = f"http://{HOST}"
    settings = {
        "CLIPSEARCH_PHOTOS": (folder / "photos").as_uri(),
        "CLIPSEARCH_INDEX": index_url,
        "CLIPSEARCH_THUMBNAILS": (folder / "thumbnails").as_uri(),
        "CLIPSEARCH_PHOTOS_URL": nowhere,
        "CLIPSEARCH_THUMBNAILS_URL": nowhere,
        "CLIPSEARCH_MODEL": library.snapshot.space,
    }
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    return start_function("search", port, settings, folder / "log")


def _is_same(library: Library, function: Function, text: str) -> bool:
    query = urlencode({"q": text, "limit": DEPTH, "stack": 0})
    try:
        with open_local(f"{function.url}?{query}", SECONDS) as reply:
            answer = json.load(reply)
    except (OSError, ValueError) as error:
        raise RunError(f"search does not answer {text!r}: {_reason(error)}") from error
    snapshot = library.snapshot
    if (answer["index"]["commit"], answer["index"]["photos"]) != (snapshot.commit, snapshot.photos):
        raise RunError("the index has changed during the evaluation; try again")
    hits = first_hits(library, library.model.words(text).vector)
    results = answer["results"]
    return [hit.name for hit in hits] == [result["name"] for result in results] and all(
        abs(hit.score - result["score"]) < SCORE_TOLERANCE
        for hit, result in zip(hits, results, strict=True)
    )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        try:
            return f"{error.code}, {json.load(error)['detail']}"
        except (ValueError, KeyError, TypeError):
            return str(error)
    return str(error)
