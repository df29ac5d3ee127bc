"""From the bucket to memory: a SnapshotReader loads what is new and returns a Snapshot.

May import: format.
"""
