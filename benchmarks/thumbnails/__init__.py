"""Measures thumbnails and previews: milliseconds of CPU, bytes, likeness, dollars for a million.

    python -m benchmarks.thumbnails

A thumbnail is resized from the picture that the encoder needs anyway. A preview has its own
decoding, which counts. Prints tables; writes build/bench/thumbnails.json.
"""
