"""Ours beside other projects' packages, in one run on the same cores: `make bench-peers`.

Every peer has an environment of its own below build/peers/, made from the pinned packages in
requirements/. All have the same photos' vectors, or the same ViT-B/32 with random weights. Each
side runs in a process of its own, and the sides take turns:

    text, picture  a text or a JPEG of 640 x 480 to its vector
    photos         photos to vectors, many at once: photos for a second of CPU time
    search         a text's vector to the best 20 photos, with the least effort that finds 99 %
    answer         a text to the best 20 photos
    first_…        a new process up to its first vector, search or answer, and its peak of memory

Prints a table, worst for us first; writes build/bench/peers.json.
"""
