"""`clipsearch copy-index`: a consistent copy of an index while uploads and compaction go on.

A copy is an index of its own: models, segments, packs, a commit for each model's index, and last
the pointer to the current model. It has no marks of reconciles or attempts; `ingest` makes them.

Why the copy is complete at every moment: a look lists the segments and then reads the newest
commit, as a reader does. The segments that count then are the index (compaction/__init__.py). If
one vanishes before it is copied, a merge has replaced it, and the next look names the merged one.

Why no deleted photo returns: an earlier run, or an earlier look, may have copied segments that the
source has merged and deleted since, and later dropped the tombstones. The copy deletes nothing. So
its commit names them as replaced. `copies/` in the copy says which segments are the copy's, and is
written before them. A segment that it does not name is of another writer, and the run stops.
"""
