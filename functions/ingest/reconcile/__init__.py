"""Reconcile: compares the photos bucket with the index and sends what must be done.

At the end of a run it discards damaged segments that nobody needs (compaction/vacuum.py).

May import: clipsearch and ingest's messages. It imports numpy: import it inside functions only.
"""
