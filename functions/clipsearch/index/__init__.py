"""The index of photos in a bucket: its format, its readers, its search and its compaction.

May import: storage, clipsearch's own top files, and compaction model/bundle. numpy and FAISS stand
at the top of the modules in here, so that other modules import this folder inside functions only.
"""
