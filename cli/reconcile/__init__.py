"""The index made equal to the photos bucket, by a person on their own machine: `make reconcile`.

The work is that of `ingest` (functions/ingest/reconcile/run.py), done here instead of in the cloud.

options   which buckets, from the command line and the environment
plan      what there is to do, how long it takes here, and what it costs in the cloud
work      doing it, with a bar, and what came of it
"""
