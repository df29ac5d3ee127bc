"""`clipsearch models`: the checkpoints that are known, as tables."""

from __future__ import annotations

import json

import click

PER_LINE = 4  # columns of the first table: the second has the figures


@click.command(
    short_help="List well-known models with size, speed and recall.",
    epilog="Example: clipsearch models --json",
)
@click.option("--json", "as_json", is_flag=True, help="Print the tables as JSON.")
def command(as_json: bool) -> None:
    """List well-known models: languages, licence, size, recall, memory and speed.

    Any other checkpoint of the same families works, too. The speed was measured on one machine,
    with random weights of full size.
    """
    from model_export import table
    from model_export.facts import RECOMMENDED, SOURCES

    models = table.models()
    if as_json:
        chosen = {use: model for use, (model, _) in RECOMMENDED.items()}
        print(json.dumps({"models": models, "recommended": chosen, "sources": SOURCES}))
        return
    published = table.published_rows(models)
    print(table.aligned([row[:PER_LINE] for row in published]))
    print("", table.aligned([(row[0], *row[PER_LINE:]) for row in published]), sep="\n")
    print("", table.aligned(table.measured_rows(models)), "", sep="\n")
    print("Recommended for", *table.recommendations(), sep="\n  ")
