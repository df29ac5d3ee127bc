"""The search function. It only reads the index.

main has the routes, http the HTTP layer, engine the search. May import: clipsearch.
"""
