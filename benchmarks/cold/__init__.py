"""Where the time of a cold start goes: `make bench-cold`.

Starts the real `search` over 118,287 made-up photos (benchmarks/system/world.py), asks for a text
at once, and draws the phases until the answer as a waterfall. traced.py measures them inside the
function's processes. Phases of different threads overlap. Of several starts the fastest counts,
because other programs only slow a start down. The CPU times of phases are those of their threads,
and depend less on other programs.
"""
