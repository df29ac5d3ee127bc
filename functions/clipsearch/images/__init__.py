"""Pictures: decoding with limited memory, colours, preprocessing for the encoder, thumbnails.

May import: the files beside this folder. Knows no bucket, and of the model only preprocessing.
"""
