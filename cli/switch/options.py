"""`clipsearch switch`: its options, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.common.errors import UsageError
from cli.common.output import quiet_option
from cli.reconcile.options import Options as ReconcileOptions
from cli.reconcile.options import index_of
from cli.reconcile.options import options_of as reconcile_options
from clipsearch.model.pointer import current_pointer
from clipsearch.settings import PREFIX

INDEX = f"{PREFIX}INDEX"


@dataclass(frozen=True, slots=True)
class Options:
    """`to`: the buckets and the space that becomes current. `is_sure`: whatever is found."""

    to: ReconcileOptions
    captions: Path | None
    prefix: str
    is_sure: bool
    plan_only: bool


@click.command(
    short_help="Make another model current, or go back.",
    epilog="Example: clipsearch switch --captions my-captions.json",
)
@click.argument("space", required=False)
@click.option("--photos", help=f"gs://BUCKET[/PREFIX] or a folder.  [default: {PREFIX}PHOTOS]")
@click.option("--index", help=f"gs://BUCKET[/PREFIX] or a folder.  [default: {INDEX}]")
@click.option("--thumbnails", help="The same.  [default: CLIPSEARCH_THUMBNAILS]")
@click.option("--captions", type=Path, help="COCO captions of your photos: compare both models.")
@click.option("--prefix", help="What the photos' names begin with, before file_name.")
@click.option("--plan", is_flag=True, help="Compare both models, and switch nothing.")
@click.option("--anyway", is_flag=True, help="Switch even if photos are missing or found less.")
@click.option("--back", is_flag=True, help="Go back to the model before.")
@quiet_option
def command(
    space: str | None, captions: Path | None, prefix: str | None, back: bool, **given: Any
) -> int:
    """Make the model SPACE current (default: the one that is being filled).

    Switches when all photos are in the new index, and refuses if your captions find their photos
    clearly less often. Until then the old model answers.
    """
    if back:
        _check_alone(space=space, captions=captions, prefix=prefix, **given)
        from cli.switch.switch import go_back

        return go_back(index_of(given["index"], given["photos"]))
    if prefix and not captions:
        raise UsageError("--prefix needs --captions, the captions of the photos there")
    if captions and not captions.expanduser().is_file():
        raise UsageError(f"there are no captions {captions}; check the path")
    from cli.switch.switch import switch

    buckets = {name: given[name] for name in ("photos", "index", "thumbnails")}
    to = reconcile_options(**buckets, space=space or _filling(**buckets), plan=False, empty=False)
    place = captions.expanduser() if captions else None
    return switch(Options(to, place, prefix or "", given["anyway"], given["plan"]))


def _check_alone(**given: Any) -> None:
    for name in ("space", "captions", "prefix", "plan", "anyway"):
        if given[name]:
            what = given[name] if name == "space" else f"--{name}"
            raise UsageError(f"--back takes no {what}; it goes back to the model before")


def _filling(**buckets: str | None) -> str:
    """The space that is being filled. UsageError if there is none."""
    present = reconcile_options(**buckets, space=None, plan=False, empty=False)
    pointer = current_pointer(present.services.index)
    if pointer.filling is None:
        raise UsageError(
            f"no model is being filled; model {pointer.space} is current; name the space to "
            "switch to, or fill one with clipsearch reconcile --space"
        )
    return pointer.filling
