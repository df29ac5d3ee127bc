"""The search in memory: a PhotoIndex with flat shards (exact) and quantized shards (codes first).

May import: format and reader. `ingest` never imports this folder.
"""
