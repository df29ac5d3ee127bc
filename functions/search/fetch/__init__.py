"""Fetches a picture from a URL that a stranger chose. Only public addresses are reachable.

Imports only the standard library and clipsearch's errors: no HTTP framework and no engine.
"""
