"""Measure how well `ingest` uses one CPU, as Terraform gives it, if storage is slow.

    make bench-ingest

The real `ingest` runs in one process on one core. Each request to storage takes 80 ms longer than
that of a folder. ViT-B/32 at full size has random weights, in 8 bits. Photos are drawn with the
statistics of photographs. The ways take turns in that process:

    limit      decode, thumbnail and encode, in memory and nothing else
    events     an event for each photo, one after another, as in the cloud
    crowd      four events at once, as `clipsearch run` sends them
    batch      a message of a reconcile with 256 photos
    reconcile  the whole reconcile without a topic: list, compare, index

    photos/s   by wall time. The process goes before other programs of its core, if it is root's
    of limit   that, divided by the limit of the same turn
    CPU ms     of a photo, all threads
    waits      how many requests of an event were one after another: the longest chain of requests
               of which each began after the one before had ended
"""
