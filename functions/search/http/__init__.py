"""HTTP: bodies, parameters, cursors, errors, pages and headers.

May import: engine's values (Timing, Picture), not its service. Nothing here reads a bucket.
"""
