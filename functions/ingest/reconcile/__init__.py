"""Reconcile: compares the photos bucket with the index and sends what must be done.

May import: clipsearch and ingest's messages.
"""
