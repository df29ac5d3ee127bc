"""The only writer of the index: events of the photos bucket, and maintenance.

May import: clipsearch. The path of an upload: events, messages, maintenance, retries, indexing.
"""
