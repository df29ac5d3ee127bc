"""What the command line of `make run` asks for, checked before anything is started."""

from __future__ import annotations

import argparse
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cli import ROOT
from cli.common.errors import UsageError
from cli.run.model import choose_model

DEMO_MODEL = ROOT / "model_export" / "demo" / "bundle"
STATE = ROOT / "build" / "run"  # the demo photos lie beside it
DEMO_SUGGESTIONS = (
    "two blue mushrooms",
    "a red car at night",
    "boats on the sea",
    "three yellow stars",
    "a house in the snow",
)


@dataclass(frozen=True, slots=True)
class Options:
    """All paths absolute. `demo_count` pictures are drawn into `photos`; 0 when it is a
    person's own folder. `checkpoint`, if any, is exported into `model` first."""

    photos: Path
    demo_count: int
    model: Path
    checkpoint: str | None
    state: Path
    port: int
    suggestions: tuple[str, ...]

    @property
    def search_port(self) -> int:
        return self.port + 1

    @property
    def ingest_port(self) -> int:
        return self.port + 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and leaves the exit to its caller."""

    def __init__(self, module: str, description: str) -> None:
        super().__init__(f"python -m {module}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse_options(arguments: list[str]) -> Options:
    """The options in `arguments`; UsageError for anything that cannot work."""
    parser = Parser("cli.run", "Run clipsearch on this machine.")
    parser.add_argument("--photos", type=Path, help="a folder of your own (default: drawn ones)")
    parser.add_argument("--count", type=int, default=500, help="demo pictures to draw")
    parser.add_argument(
        "--model", help="a bundle, a CLIP checkpoint, an id of the Hugging Face hub"
    )
    parser.add_argument("--port", type=int, default=8080, help="page; search and ingest: +1, +2")
    parser.add_argument("--suggestions", help="searches to start with, separated by commas")
    parser.add_argument("--state", type=Path, default=STATE, help="index, thumbnails and logs")
    given = parser.parse_args(arguments)

    if not 1 <= given.port <= 65533:
        raise UsageError(f"port {given.port} is not between 1 and 65533")
    if given.count < 1:
        raise UsageError(f"count {given.count} is not a number of pictures")
    states = _absolute(given.state)
    model, checkpoint = DEMO_MODEL, None
    if given.model is not None:
        model, checkpoint = choose_model(given.model, states.with_name("models"))
    photos = photos_folder(given.photos) if given.photos else None
    state = states / ("demo" if photos is None else _key(photos))
    if photos is not None and state.is_relative_to(photos):
        # thumbnails would be photos, with thumbnails of their own, and so on for ever
        raise UsageError(f"{photos} holds {state}, where make run keeps its own files")
    return Options(
        photos=photos or states.with_name("demo-photos"),
        demo_count=0 if photos else given.count,
        model=model,
        checkpoint=checkpoint,
        state=state,
        port=given.port,
        suggestions=_suggestions(given.suggestions, photos is None),
    )


def _suggestions(given: str | None, is_demo: bool) -> tuple[str, ...]:
    if given is None:
        return DEMO_SUGGESTIONS if is_demo else ()
    return tuple(text.strip() for text in given.split(",") if text.strip())


def photos_folder(given: Path) -> Path:
    """The absolute path of a folder that is there and may be read; UsageError otherwise."""
    photos = _absolute(given)
    if not photos.exists():
        raise UsageError(f"the photos folder {photos} does not exist")
    if not photos.is_dir():
        raise UsageError(f"{photos} is not a folder of photos but a file")
    if not os.access(photos, os.R_OK | os.X_OK):
        raise UsageError(f"the photos folder {photos} cannot be read by this user")
    return photos


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _key(photos: Path) -> str:
    """The state folder's name for `photos`: its own name to read, a hash to be unique."""
    return f"{photos.name}-{hashlib.sha256(os.fsencode(photos)).hexdigest()[:8]}"
