"""Bytes of a photo -> the two small pictures that are made of it, within bounds of time and memory.

Knows nothing of the index, of models or of storage. Pillow, its decoders and numpy are imported
inside functions: the framework forks after the import.
"""
