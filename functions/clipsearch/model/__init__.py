"""CLIP: manifest (model.json), bundle (a model's files), encoder (photos and texts to vectors).

May import: storage, images, clipsearch's own top files. Knows nothing of the index.
"""
