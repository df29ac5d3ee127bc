"""CLIP: manifest (model.json), bundle (a model's files), encoder (photos and texts to vectors).

May import: storage, images, and the files beside this folder. Never imports the index.
"""
