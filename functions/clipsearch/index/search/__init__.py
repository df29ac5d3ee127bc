"""In-memory search: a PhotoIndex of flat shards (exact) and quantized shards (codes first).

May import: format and reader. `ingest` never imports this folder.
"""
