"""The only writer of the index: events of the photos bucket, and maintenance.

May import: clipsearch. An upload goes through events, messages, maintenance, retries, indexing.
"""
