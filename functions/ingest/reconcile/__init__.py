"""Reconcile: compares the photos bucket with the index and sends what must be done.

At the end of a run, damaged segments that nobody needs are discarded (compaction/vacuum.py).

May import: clipsearch and ingest's messages. Brings numpy: import it inside functions only.
"""
