"""The search itself, without HTTP: queries, model, index state, embedding, signed URLs, /status.

May import clipsearch, never search.http. Raises errors.BadQuery for a value of the query.
"""
