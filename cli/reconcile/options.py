"""`clipsearch reconcile`: its options, checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.common.arguments import complete_folders
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.run.options import options_of as run_options
from clipsearch.errors import SettingsError
from clipsearch.index.format.fill import Want
from clipsearch.settings import PREFIX, Settings
from clipsearch.storage import Bucket, open_bucket
from ingest.services import Services


@dataclass(frozen=True, slots=True)
class Options:
    """`may_empty`: all photos may be removed from the index. `want`: what photos need, as the
    settings say; without CLIPSEARCH_KEEP_PLACES, places stay as they are."""

    services: Services
    space: str
    plan_only: bool
    may_empty: bool
    want: Want


def bucket_option(name: str) -> Callable[[Any], Any]:
    help_ = f"gs://BUCKET[/PREFIX] or a folder.  [default: {PREFIX}{name.upper()}]"
    return click.option(f"--{name}", help=help_, shell_complete=complete_folders)


@click.command(
    short_help="Make the index equal to the photos bucket.",
    epilog="Example: clipsearch reconcile --plan",
)
@bucket_option("photos")
@bucket_option("index")
@bucket_option("thumbnails")
@click.option("--space", help="Of the model to use.  [default: the current one]")
@click.option("--plan", is_flag=True, help="Print what there is to do, and do nothing.")
@click.option("--empty", is_flag=True, help="Allow the removal of all photos.")
@output_options
def command(**given: Any) -> int:
    """Make the index equal to the photos bucket: index what is missing, remove what is gone."""
    needs_posix("reconcile")
    from cli.reconcile.work import reconcile

    return reconcile(options_of(**given))


def options_of(
    photos: str | None,
    index: str | None,
    thumbnails: str | None,
    space: str | None,
    plan: bool,
    empty: bool,
) -> Options:
    """UsageError for anything that cannot work. NoModel, StorageError."""
    settings = _settings({"photos": photos, "index": index, "thumbnails": thumbnails}, space)
    services = Services(settings)
    # The deployment may have another value than this machine's default.
    keeps_places = settings.keep_places if f"{PREFIX}KEEP_PLACES" in os.environ else None
    want = Want(keeps_places, settings.previews)
    return Options(services, services.model.space(), plan, empty, want)


def _settings(given: dict[str, str | None], space: str | None) -> Settings:
    environ = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    environ.pop(f"{PREFIX}TOPIC", None)  # the work is done here
    environ |= {f"{PREFIX}{name.upper()}": address_of(v) for name, v in given.items() if v}
    if f"{PREFIX}INDEX" not in environ and not is_address(given["photos"] or ""):
        environ |= of_make_run(given["photos"])
    # Nobody gets URLs of pictures here.
    nowhere = {f"{PREFIX}{name}_URL": "http://localhost" for name in ("PHOTOS", "THUMBNAILS")}
    if space:
        environ[f"{PREFIX}MODEL"] = space
    try:
        return Settings.from_env(environ | nowhere)
    except SettingsError as error:
        raise UsageError(str(error)) from error


def of_make_run(photos: str | None) -> dict[str, str]:
    """The settings of `clipsearch run` for this folder, or for the demo pictures."""
    options = run_options(photos)
    if not (options.state / "index").is_dir():
        raise UsageError(
            f"there is no index of {options.photos}; give one with --index, "
            "or start clipsearch run once"
        )
    folders = {
        "PHOTOS": options.photos,
        "INDEX": options.state / "index",
        "THUMBNAILS": options.state / "thumbnails",
    }
    return {f"{PREFIX}{name}": folder.as_uri() for name, folder in folders.items()}


def index_of(index: str | None, photos: str | None) -> Bucket:
    """The index alone: the one named, that of the settings, or that of `clipsearch run`."""
    url = address_of(index) if index else None if photos else os.environ.get(f"{PREFIX}INDEX")
    if not url and is_address(photos or ""):
        raise UsageError(f"name the index of {photos} with --index")
    try:
        return open_bucket(url or of_make_run(photos)[f"{PREFIX}INDEX"])
    except ValueError as error:
        raise UsageError(f"the index cannot be there: {error}") from error


def address_of(value: str) -> str:
    """The URL of a bucket, or of a folder that is given as a path."""
    return value if is_address(value) else Path(value).expanduser().resolve().as_uri()


def is_address(value: str) -> bool:
    return value.startswith(("gs://", "file://"))
