"""The index of photos in a bucket: its format, its readers, its search and its compaction.

May import: storage and clipsearch's top files. Compaction may also import model/bundle. These
modules import numpy and FAISS at the top, so other folders import them inside functions only.
"""
