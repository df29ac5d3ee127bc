"""HTTP: bodies, parameters, errors, pages and headers.

May import the engine's values (Query, BadQuery, Timing), not its service. Never reads a bucket.
"""
