"""The objects in the bucket: segments of entries, packs with their quantizer, commits.

May import: storage and clipsearch's top files. The merge rule is Entries.winners (entries.py).
docs/index-format.md describes the bytes.
"""
