"""Measurements, from the repository's root: `python -m benchmarks.NAME`. Not installed.

Each prints a table and writes build/bench/NAME.json.
"""

import cli  # noqa: F401  puts functions/ on the path
