"""Pictures: decoding within a bound of memory, colours, what the encoder sees, thumbnails.

May import: clipsearch's own top files. Knows no bucket and no model but its preprocessing.
"""
