"""The search function: it only reads the index.

main has the routes, http what is HTTP, engine the search itself. May import: clipsearch.
"""
