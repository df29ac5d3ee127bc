"""`clipsearch run`: its options, checked before anything starts."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cli import DATA
from cli.common.arguments import Number, complete_folders
from cli.common.errors import UsageError, needs_posix
from cli.common.localhost import HOST
from cli.common.output import quiet_option
from cli.run.model import DEMO, choose_model
from model_export.known import DEFAULT_MODEL

MOST_PORT = 65533  # two more follow
STATE = DATA / "run"  # the demo photos are beside it
DEMO_SUGGESTIONS = (
    "two blue mushrooms",
    "a red car at night",
    "boats on the sea",
    "three yellow stars",
    "a house in the snow",
)
EXAMPLE = "a dog on a beach"  # a search for photos that we do not know
# Settings that a person may give in the environment; all others follow from the options.
SWITCHES = ("CLIPSEARCH_FETCH_URLS", "CLIPSEARCH_KEEP_PLACES", "CLIPSEARCH_PREVIEWS")


@dataclass(frozen=True, slots=True)
class Options:
    """All paths are absolute.

    `demo_count` pictures are drawn into `photos`; 0 for the user's own folder. `checkpoint`, if
    any, is exported into `model` first. `switches`: settings of the environment. `host`: the IP
    address of the page.
    """

    photos: Path
    demo_count: int
    model: Path
    checkpoint: str | None
    state: Path
    port: int
    suggestions: tuple[str, ...]
    has_browser: bool = True
    host: str = HOST
    switches: Mapping[str, str] = field(default_factory=dict)

    @property
    def search_port(self) -> int:
        return self.port + 1

    @property
    def ingest_port(self) -> int:
        return self.port + 2

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach the page."""
        return not ipaddress.ip_address(self.host).is_loopback

    @property
    def page(self) -> str:
        """The URL of the page, for a browser on this machine."""
        address = ipaddress.ip_address(self.host)
        if address.is_unspecified:
            address = ipaddress.ip_address("::1" if address.version == 6 else HOST)
        return (
            f"http://[{address}]:{self.port}"
            if address.version == 6
            else (f"http://{address}:{self.port}")
        )


@click.command(
    short_help="Search a folder of photos on this machine.",
    epilog="Example: clipsearch run ~/Pictures",
)
@click.argument("folder", required=False, shell_complete=complete_folders)
@click.option("--count", type=Number(1), help="Number of demo pictures.  [default: 500]")
@click.option("--model", help=f"Bundle, checkpoint or id of the hub.  [default: {DEFAULT_MODEL}]")
@click.option("--demo-model", is_flag=True, help="Use the model that knows drawn scenes only.")
@click.option(
    "--port",
    type=Number(1, MOST_PORT),
    default=8080,
    show_default=True,
    help="Port of the page. The next two are used, too.",
)
@click.option(
    "--host",
    metavar="IP",
    default=HOST,
    show_default=True,
    help="Address of the page; 0.0.0.0 lets other machines see your photos.",
)
@click.option("--suggestions", help="Searches to start with, separated by commas.")
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser, or not.")
@click.option(
    "--state",
    type=Path,
    default=STATE,
    shell_complete=complete_folders,
    help="Folder for index, thumbnails and logs.",
)
@quiet_option
def command(**given: Any) -> None:
    """Search the photos in FOLDER on this machine.

    Without FOLDER it draws demo pictures and searches them. It starts the page, the search and
    the indexing, and follows changes in FOLDER until Ctrl-C. The first start with FOLDER
    downloads a model once. The demo pictures need no download.
    """
    needs_posix("run")
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
    host: str = HOST,
    demo_model: bool = False,
) -> Options:
    """UsageError for anything that cannot work."""
    if count is not None and folder:
        raise UsageError(f"--count is for the demo pictures; leave it out with {folder}")
    if folder and folder.startswith("gs://"):
        raise UsageError(
            f"{folder} is a bucket, and run takes a folder; to search a bucket, deploy clipsearch "
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
        # Each thumbnail would be a photo, with a thumbnail of its own.
        raise UsageError(
            f"{photos} contains {own}, the folder of the index; choose another with --state"
        )
    return Options(
        photos=photos or states.with_name("demo-photos"),
        demo_count=0 if photos else count or 500,
        model=bundle,
        checkpoint=checkpoint,
        state=own,
        port=port,
        suggestions=_suggestions(suggestions, photos is None),
        has_browser=browser,
        host=_ip(host),
        switches=_switches(os.environ),
    )


def _switches(environ: Mapping[str, str]) -> dict[str, str]:
    given = {name: environ[name] for name in SWITCHES if name in environ}
    for name, value in given.items():
        if value not in ("0", "1", ""):
            raise UsageError(f"{name} is {value!r}; it must be 1 (yes) or 0 (no)")
    return {"CLIPSEARCH_PREVIEWS": "1"} | given


def _ip(given: str) -> str:
    try:
        return str(ipaddress.ip_address(HOST if given == "localhost" else given))
    except ValueError as error:
        raise UsageError(
            f"--host {given} is no IP address; use {HOST} for this machine only, 0.0.0.0 for all "
            "its networks, or one of its addresses"
        ) from error


def _suggestions(given: str | None, is_demo: bool) -> tuple[str, ...]:
    if given is None:
        return DEMO_SUGGESTIONS if is_demo else ()
    return tuple(text.strip() for text in given.split(",") if text.strip())


def photos_folder(given: Path) -> Path:
    """The absolute path of a readable folder. UsageError if it is not one."""
    photos = _absolute(given)
    if not photos.exists():
        raise UsageError(f"the photos folder {photos} does not exist; check the path")
    if not photos.is_dir():
        raise UsageError(f"{photos} is a file; give the folder of the photos")
    if not os.access(photos, os.R_OK | os.X_OK):
        raise UsageError(
            f"this user may not read the photos folder {photos}; change its permissions"
        )
    return photos


def _absolute(path: Path) -> Path:
    return Path(os.path.expanduser(path)).resolve()  # unknown ~user: taken as a name


def _key(photos: Path) -> str:
    """The name of the state folder of `photos`: readable, and unique by a hash."""
    return f"{photos.name}-{hashlib.sha256(os.fsencode(photos)).hexdigest()[:8]}"
