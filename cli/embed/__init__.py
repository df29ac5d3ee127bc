"""`clipsearch embed`: a reconcile of many photos by many machines, on Apache Beam.

It makes the index equal to the photos bucket, as `clipsearch reconcile` does, but no process lists,
compares or embeds alone. Only `steps`, `pipeline`, `runners` and `work` import Beam, which has an
environment of its own (requirements.txt).

options      the options, checked
environment  is Beam there, and are the libraries the project's own?
job          what each process must know, and its buckets
plan, costs  what there is to do, how long it takes and what it costs
ranges       the names of the photos in ranges that are listed side by side
records      a listed photo, and what the index knows of one, as bytes; bound in sheaves by key
known        the entries of one segment
comparing    what must be done about a few photos
orphans      photos of the index that are gone
embedding    photos to one segment; a photo that ends the process costs itself
embedder     sends photos to child, the process that decodes and embeds, as talk says; gathering:
             it hands its segments over
compaction   merges and packs, in pieces; apart: in a process of its own
tally        how far the local processes are
steps        all that as Beam's DoFns; pipeline: in order; runners: here or on Dataflow
work         begins, shows progress, reports
"""
