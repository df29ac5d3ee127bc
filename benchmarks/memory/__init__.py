"""Measure the memory of both functions, part by part: `make bench-memory`.

    functions   the real `search` and `ingest` with a ViT-B/32 of random weights in 8 bits: resident
                memory now and at its peak, after a text, a picture and an upload
    parts       one process that loads an index like `search`: bytes of each column that it holds,
                and what each step adds to the resident memory, now and at its peak

Prints a table; writes build/bench/memory.json.
"""
