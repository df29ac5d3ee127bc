"""functions-framework, with a line in the file COLD_TRACE for each phase of the start.

A line has the phase, its begin and its end in time.monotonic(), one clock for all processes, and
the CPU seconds of its thread.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Modules whose import is a phase.
IMPORTS = {
    "functions_framework": "import functions_framework with Flask",
    "functions_framework.aio": "import Starlette",
    "gunicorn.app.base": "import gunicorn",
    "uvicorn": "import uvicorn",
    "search.main": "import the function",
    "search.engine.service": "import the engine",
    "numpy": "import numpy",
    "onnxruntime": "import ONNX Runtime",
    "faiss": "import FAISS",
    "tokenizers": "import tokenizers",
    "clipsearch.index.search.photo_index": "import the index",
}
# Functions that are a phase, by module.
CALLS = {
    "clipsearch.model.bundle": {"load_bundle": "file: manifest"},
    "clipsearch.model.towers": {
        "open_session": "session",
        "_tokenizer": "tokenizer",
        "TextTower.encode": "first run",
    },
    "clipsearch.index.reader.snapshot_reader": {"SnapshotReader.refresh": "files: index"},
    "clipsearch.index.search.photo_index": {
        "PhotoIndex.update": "build the index",
        "PhotoIndex.search": "search",
    },
    "search.main": {"_answer": "request"},
}


def write(phase: str, begin: float, cpu_seconds: float) -> None:
    line = f"{phase}\t{begin!r}\t{time.monotonic()!r}\t{cpu_seconds!r}\n"
    with open(os.environ["COLD_TRACE"], "a") as file:  # one write: lines of threads never mix
        file.write(line)


@contextlib.contextmanager
def phase(name: str) -> Iterator[None]:
    begin, cpu = time.monotonic(), time.thread_time()
    try:
        yield
    finally:
        write(name, begin, time.thread_time() - cpu)


class Tracer(importlib.abc.MetaPathFinder):
    """Times the imports of IMPORTS, and the functions of CALLS once their module is imported."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self._seen or fullname not in IMPORTS.keys() | CALLS.keys():
            return None
        self._seen.add(fullname)
        spec = importlib.util.find_spec(fullname)
        loader: Any = spec and spec.loader
        if loader is not None:
            loader.exec_module = _traced_import(fullname, loader.exec_module)
        return spec


def _traced_import(
    name: str, execute: Callable[[ModuleType], None]
) -> Callable[[ModuleType], None]:
    def traced(module: ModuleType) -> None:
        with phase(IMPORTS[name]) if name in IMPORTS else contextlib.nullcontext():
            execute(module)
        for path, label in CALLS.get(name, {}).items():
            owner, _, attribute = path.rpartition(".")
            holder = getattr(module, owner) if owner else module
            setattr(holder, attribute, _traced_call(label, getattr(holder, attribute)))

    return traced


def _traced_call(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if label == "request":

        @functools.wraps(function)
        async def asynchronous(*args: Any) -> Any:
            with phase(label):
                return await function(*args)

        return asynchronous

    @functools.wraps(function)
    def traced(*args: Any, **options: Any) -> Any:
        with phase(label):
            return function(*args, **options)

    return traced


if __name__ == "__main__":
    write("Python", float(os.environ["COLD_BEGIN"]), time.process_time())
    sys.meta_path.insert(0, Tracer())
    from functions_framework._cli import _cli

    _cli()
