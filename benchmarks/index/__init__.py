"""The index at its bounds, in one run: `make bench-index`.

    uploads     bytes and requests of an upload, in front of indexes of different sizes
    search      beside FAISS's IndexFlatIP, taking turns: time of the search stage, recall@20
    cold        a new process: seconds to its first answer, most memory, and the seconds that
                it takes only to read the same bytes
    crowd       1,000 uploads from 16 workers at once: lost ones, seconds until each is found

Prints a table; writes build/bench/index.json.
"""
