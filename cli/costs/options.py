"""`clipsearch costs`: the command."""

from __future__ import annotations

import dataclasses
import json
import math

import click

from cli.common.arguments import Number
from cli.common.errors import UsageError
from cli.costs.prices import PRICES
from cli.costs.rows import ROWS, search_of
from cli.costs.tables import Library, tables
from cli.costs.text import figures_of, prices_text, text_of

MOST = 1_000_000_000


class Decimal(click.ParamType[float]):
    """A number above `above` and up to `most`; `above` itself only if `is_included`."""

    name = "number"

    def __init__(self, above: float, most: float, is_included: bool = False) -> None:
        self._above, self._most, self._is_included = above, most, is_included

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """UsageError for anything else."""
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        is_least = self._is_included and number == self._above
        if not (is_least or self._above < number <= self._most):
            option = param.opts[-1] if param else "it"
            least = f"from {self._above:g}" if self._is_included else f"above {self._above:g}"
            raise UsageError(
                f"{option} is {str(value)!r}; it must be a number {least} to {self._most:,g}"
            )
        return number


@click.command(
    short_help="Estimate what a deployment costs.",
    epilog="Example: clipsearch costs --photos 100000 --searches 10000",
)
@click.option(
    "--photos",
    default=10_000,
    show_default=True,
    type=Number(0, MOST),
    help="Photos in the bucket.",
)
@click.option(
    "--searches", default=1_000, show_default=True, type=Number(0, MOST), help="Searches a month."
)
@click.option(
    "--megabytes-per-photo",
    "megabytes",
    default=3.0,
    show_default=True,
    type=Decimal(0, 1000),
    help="Size of a photo, in MB.",
)
@click.option(
    "--log-sample",
    default=1.0,
    show_default=True,
    type=Decimal(0, 1, is_included=True),
    help="Share of usual requests that get a log line.",
)
@click.option(
    "--rows",
    default="memory",
    show_default=True,
    type=click.Choice(ROWS),
    help="Where search has the vectors: in memory, in the bucket (CLIPSEARCH_ROWS), or in a table "
    "of Lance (CLIPSEARCH_ENGINE).",
)
@click.option("--prices", "is_prices", is_flag=True, help="Print the prices and their sources.")
@click.option("--json", "as_json", is_flag=True, help="Print the tables and prices as JSON.")
def command(
    photos: int,
    searches: int,
    megabytes: float,
    log_sample: float,
    rows: str,
    is_prices: bool,
    as_json: bool,
) -> None:
    """Estimate what a deployment on Google Cloud costs, in US dollars.

    It asks nobody: the list prices are those of us-central1, before free allowances. The first line
    is the smallest instance of search that holds so many photos. The last table is the ceiling of a
    day, and what limits each of its lines. docs/costs.md has the assumptions.
    """
    library = Library(photos, searches, megabytes, log_sample, rows)
    search, made = search_of(photos, rows), tables(library)
    if as_json:
        prices = {name: dataclasses.asdict(price) for name, price in PRICES.items()}
        print(
            json.dumps(
                {
                    "asked": dataclasses.asdict(library),
                    "search": dataclasses.asdict(search) | {"warm_usd": search.warm_usd},
                    "tables": figures_of(made),
                    "prices": prices,
                }
            )
        )
    elif is_prices:
        print(prices_text())
    else:
        print(f"{search.text()}\n\n{text_of(made)}")
