"""Measure stacks: `make bench-stacks`.

    pairs     precision and recall of near-duplicates, in pictures derived from drawn scenes
    window    what it costs a search to look for near-duplicates among its best photos
    library   all near-duplicates of a library (`clipsearch duplicates`), with random hashes

Prints tables; writes build/bench/stacks.json.
"""
