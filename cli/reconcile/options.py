"""What the command line of `make reconcile` asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cli.common.errors import UsageError
from cli.run.options import Parser
from cli.run.options import parse_options as run_options
from clipsearch.errors import SettingsError
from clipsearch.settings import PREFIX, Settings
from ingest.services import Services

BUCKETS = ("photos", "index", "thumbnails")


@dataclass(frozen=True, slots=True)
class Options:
    """`may_empty`: it is right that no photo is left."""

    services: Services
    space: str
    plan_only: bool
    may_empty: bool


def parse_options(arguments: list[str]) -> Options:
    """UsageError for anything that cannot work; what storage raises when there is no model."""
    parser = Parser("cli.reconcile", "Make the index equal to the photos bucket.")
    for name in BUCKETS:
        help_ = f"gs://BUCKET[/PREFIX] or a folder (default: {PREFIX}{name.upper()})"
        parser.add_argument(f"--{name}", help=help_)
    parser.add_argument("--space", help="of the model to use (default: the current one)")
    parser.add_argument("--plan", action="store_true", help="say what there is to do, do nothing")
    parser.add_argument("--empty", action="store_true", help="really remove all photos")
    given = parser.parse_args(arguments)
    settings = _settings({name: getattr(given, name) for name in BUCKETS}, given.space)
    services = Services(settings)
    return Options(services, services.model.space(), given.plan, given.empty)


def _settings(given: dict[str, str | None], space: str | None) -> Settings:
    environ = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    environ.pop(f"{PREFIX}TOPIC", None)  # the work is done here
    environ |= {f"{PREFIX}{name.upper()}": address_of(v) for name, v in given.items() if v}
    if f"{PREFIX}INDEX" not in environ and not is_address(given["photos"] or ""):
        environ |= of_make_run(given["photos"])
    # No address of a picture is given to anybody here.
    nowhere = {f"{PREFIX}{name}_URL": "http://localhost" for name in ("PHOTOS", "THUMBNAILS")}
    if space:
        environ[f"{PREFIX}MODEL"] = space
    try:
        return Settings.from_env(environ | nowhere)
    except SettingsError as error:
        raise UsageError(str(error)) from error


def of_make_run(photos: str | None) -> dict[str, str]:
    """The index that `make run` made of this folder, or of the demo pictures."""
    options = run_options(["--photos", photos] if photos else [])
    if not (options.state / "index").is_dir():
        raise UsageError(
            f"there is no index of {options.photos}: name one with INDEX=, or start make run once"
        )
    folders = {
        "PHOTOS": options.photos,
        "INDEX": options.state / "index",
        "THUMBNAILS": options.state / "thumbnails",
    }
    return {f"{PREFIX}{name}": folder.as_uri() for name, folder in folders.items()}


def address_of(value: str) -> str:
    """A folder may be given as people write it."""
    return value if is_address(value) else Path(value).expanduser().resolve().as_uri()


def is_address(value: str) -> bool:
    return value.startswith(("gs://", "file://"))
