"""Any sequence of events, merges, mirrors and kills: a search finds what the model has."""

from __future__ import annotations

import os
from collections import defaultdict

from hypothesis import HealthCheck, given, settings

from tests.engine.driving import Driver, steps
from tests.engine.memory_engine import MemoryEngine

EXAMPLES = int(os.environ.get("EXAMPLES", "60"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps())
def test_a_search_finds_what_the_model_has_after_each_step(drawn):
    tables: dict[str, MemoryEngine] = defaultdict(MemoryEngine)
    Driver(tables.__getitem__).drive(drawn)
