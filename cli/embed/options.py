"""`clipsearch embed`: its options, checked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import click

from cli.common.arguments import Number
from cli.common.errors import UsageError, needs_posix
from cli.common.output import output_options
from cli.embed.environment import check_beam, check_pins
from cli.embed.job import Job
from cli.reconcile.options import Options as ReconcileOptions
from cli.reconcile.options import bucket_option
from cli.reconcile.options import options_of as reconcile_options

MOST_WORKERS = 1000


@dataclass(frozen=True, slots=True)
class Dataflow:
    """Where Dataflow runs. `staging`: gs://BUCKET[/PREFIX]. `account`: of the workers, or ""."""

    project: str
    region: str
    staging: str
    image: str
    account: str


@dataclass(frozen=True, slots=True)
class Options:
    """`to`: the buckets and the space. `dataflow`: None to run here."""

    to: ReconcileOptions
    workers: int
    dataflow: Dataflow | None

    def job(self, tally: str = "") -> Job:
        settings = self.to.services.settings
        return Job(
            photos=settings.photos,
            index=settings.index,
            thumbnails=settings.thumbnails,
            space=self.to.space,
            keeps_places=settings.keep_places,
            may_empty=self.to.may_empty,
            tally=tally,
        )


@click.command(
    short_help="Index millions of photos with many machines.",
    epilog="Example: clipsearch embed --runner dataflow --workers 50 --plan",
)
@bucket_option("photos")
@bucket_option("index")
@bucket_option("thumbnails")
@click.option("--space", help="Of the model to use.  [default: the current one]")
@click.option(
    "--runner",
    type=click.Choice(["local", "dataflow"]),
    default="local",
    help="On this machine, or on Google Cloud Dataflow.  [default: local]",
)
@click.option(
    "--workers",
    type=Number(1, MOST_WORKERS),
    help="Processes here, or the most machines there.  [default: 1, or 10 there]",
)
@click.option("--project", help="Of Google Cloud.  [default: GOOGLE_CLOUD_PROJECT]")
@click.option("--region", help="Of the buckets, such as europe-west1.")
@click.option("--staging", help="gs://BUCKET[/PREFIX] for Dataflow's own files.")
@click.option("--image", help="Of the workers: this project with Beam, see docs/bulk.md.")
@click.option("--account", help="Service account of the workers.  [default: the project's]")
@click.option("--plan", is_flag=True, help="Print what there is to do and its cost; do nothing.")
@click.option("--empty", is_flag=True, help="Allow the removal of all photos.")
@output_options
def command(
    photos: str | None,
    index: str | None,
    thumbnails: str | None,
    space: str | None,
    runner: str,
    workers: int | None,
    plan: bool,
    empty: bool,
    **cloud: str | None,
) -> int:
    """Make the index equal to the photos bucket, as reconcile does, with many machines."""
    needs_posix("embed")
    check_pins()
    is_there = runner == "dataflow"
    dataflow = dataflow_of(**cloud) if is_there else None
    if not is_there and any(cloud.values()):
        name = next(name for name, value in cloud.items() if value)
        raise UsageError(f"--{name} is for --runner dataflow")
    to = reconcile_options(photos, index, thumbnails, space, plan, empty)
    if dataflow:
        check_reachable(to)
    options = Options(to, workers or (10 if is_there else 1), dataflow)
    if plan:
        from cli.embed.plan import report_plan

        return report_plan(options)
    check_beam()
    from cli.embed.work import embed

    return embed(options)


def dataflow_of(
    project: str | None,
    region: str | None,
    staging: str | None,
    image: str | None,
    account: str | None,
) -> Dataflow:
    """UsageError if one is missing or cannot be."""
    project = project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    needed = {"project": project, "region": region, "staging": staging, "image": image}
    missing = [f"--{name}" for name, value in needed.items() if not value]
    if missing:
        raise UsageError(f"--runner dataflow needs {', '.join(missing)}; see docs/bulk.md")
    if not re.fullmatch(r"gs://[^/]+(/[^/]+)*/?", staging or ""):
        raise UsageError(f"--staging is {staging!r}; it must be gs://BUCKET or gs://BUCKET/PREFIX")
    return Dataflow(str(project), str(region), str(staging).rstrip("/"), str(image), account or "")


def check_reachable(to: ReconcileOptions) -> None:
    """UsageError if a bucket is a folder of this machine."""
    settings = to.services.settings
    for name in ("photos", "index", "thumbnails"):
        url = getattr(settings, name)
        if not url.startswith("gs://"):
            raise UsageError(f"--{name} is {url}; Dataflow's machines reach only gs:// buckets")
