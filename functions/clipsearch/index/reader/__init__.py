"""From the bucket to memory: a SnapshotReader loads what is new and returns a Snapshot.

A Loader reads segments, or the heads of their packs, and names damaged ones; a RowPrefetch reads
the rows of packs meanwhile; a VectorQueue hands vectors over to the search.

May import: format.
"""
