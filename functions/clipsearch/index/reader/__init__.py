"""Loads the index into memory: a SnapshotReader reads new objects and returns a Snapshot.

A Loader reads segments, or the heads of their packs, and reports damaged ones. A RowPrefetch reads
the rows of packs in the background. A VectorQueue passes vectors to the search.

May import: format.
"""
