"""Measure searches with several terms, in one run: `make bench-terms`.

A library of 10,000 drawn scenes is embedded by the demo model and searched through the engine of
the function `search`. Scenes are described, so the truth is known. Each kind of query is also asked
as rclip does it, by the weighted sum of the unit vectors, and by a plain sum of the standardised
terms, where opposites of unwanted terms count.

Prints a table; writes build/bench/terms.json. The pictures' vectors stay in build/bench/.
"""
