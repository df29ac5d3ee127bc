"""The same drawn sequences as for the engine in memory (tests/engine), with tables of Lance."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings

from clipsearch.engine.lance_table import LanceTable
from tests.engine.driving import Driver, steps

EXAMPLES = int(os.environ.get("EXAMPLES", "15"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps())
def test_a_search_finds_what_the_model_has_after_each_step(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("tables")

    def opened(name: str) -> LanceTable:
        return LanceTable((folder / f"{name}.lance").as_uri(), 4, None, 2)

    Driver(opened, tolerance=0.0005).drive(drawn)  # float16, four numbers
