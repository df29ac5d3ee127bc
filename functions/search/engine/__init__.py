"""The search without HTTP: queries, model, index state, embedding, signed URLs, /status.

May import clipsearch, never search.http. Raises errors.BadQuery for a wrong value in a query.
"""
