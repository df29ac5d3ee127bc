"""Measures the page in Chromium: bytes, requests, paints, interactions, shifts and the way back.

    python -m benchmarks.page --photos FOLDER

The weight is measured before `clipsearch run` with demo pictures, or with the photos of FOLDER.
Answers with 1,000 and 5,000 photos are made up from one of its answers. Prints the table of
docs/benchmarks.md; writes build/bench/page.json.
"""
