"""`clipsearch reconcile`: makes the index equal to the photos bucket, on this machine.

The work is that of `ingest` (functions/ingest/reconcile/run.py).

options   the options, checked
plan      what there is to do, how long it takes here, and what it costs in the cloud
work      does it, with a bar, and reports
"""
