"""`clipsearch run`: what its command line asks for, checked before anything is started."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli import DATA
from cli.common.errors import UsageError
from cli.run.model import DEMO, choose_model
from model_export.known import DEFAULT_MODEL

STATE = DATA / "run"  # the demo photos lie beside it
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
    has_browser: bool = True

    @property
    def search_port(self) -> int:
        return self.port + 1

    @property
    def ingest_port(self) -> int:
        return self.port + 2


@click.command(
    short_help="Search a folder of photos on this machine.",
    epilog="Example: clipsearch run ~/Pictures",
)
@click.argument("folder", required=False)
@click.option("--count", type=int, help="Demo pictures to draw.  [default: 500]")
@click.option("--model", help=f"Bundle, checkpoint or id of the hub.  [default: {DEFAULT_MODEL}]")
@click.option("--demo-model", is_flag=True, help="Use the model that knows drawn scenes only.")
@click.option("--port", type=int, default=8080, show_default=True, help="Of the page; +1, +2.")
@click.option("--suggestions", help="Searches to start with, separated by commas.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@click.option("--state", type=Path, default=STATE, help="Folder of index, thumbnails and logs.")
def command(**given: Any) -> None:
    """Search the photos in FOLDER on this machine (without FOLDER: demo pictures).

    Starts the page, the search and the indexing, and follows changes in FOLDER until Ctrl-C.
    The first start with FOLDER downloads a model once. The demo pictures need no download.
    """
    from cli.run.stack import run

    run(options_of(**given))


def options_of(
    folder: str | None = None,
    count: int | None = None,
    model: str | None = None,
    port: int = 8080,
    suggestions: str | None = None,
    state: Path = STATE,
    browser: bool = True,
    demo_model: bool = False,
) -> Options:
    """UsageError for anything that cannot work."""
    if not 1 <= port <= 65533:
        raise UsageError(f"port {port} is not between 1 and 65533")
    if count is not None and count < 1:
        raise UsageError(f"count {count} is not a number of pictures")
    if count is not None and folder:
        raise UsageError(f"--count is for the demo pictures, and cannot be given with {folder}")
    if folder and folder.startswith("gs://"):
        raise UsageError(
            f"{folder} is a bucket, and this takes a folder; deploy to search a bucket "
            "(docs/deploy.md)"
        )
    states = _absolute(state)
    if demo_model and model is not None:
        raise UsageError(f"--demo-model and --model {model} name two models; give one of them")
    if model is None:
        model = DEFAULT_MODEL if folder and not demo_model else DEMO
    bundle, checkpoint = choose_model(model, states.with_name("models"))
    photos = photos_folder(Path(folder)) if folder else None
    own = states / ("demo" if photos is None else _key(photos))
    if photos is not None and own.is_relative_to(photos):
        # thumbnails would be photos, with thumbnails of their own, and so on for ever
        raise UsageError(f"{photos} holds {own}, where clipsearch keeps its index")
    return Options(
        photos=photos or states.with_name("demo-photos"),
        demo_count=0 if photos else count or 500,
        model=bundle,
        checkpoint=checkpoint,
        state=own,
        port=port,
        suggestions=_suggestions(suggestions, photos is None),
        has_browser=browser,
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
