"""What lies in the bucket: entries in segments, packs with their quantizer, commits.

May import: storage and clipsearch's own top files. The rule that decides which entry about a photo
counts is Entries.winners (entries.py); docs/index-format.md describes the bytes.
"""
