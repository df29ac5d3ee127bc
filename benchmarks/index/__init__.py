"""Measure a large index, in one run: `make bench-index`.

    uploads     bytes and requests of an upload, with indexes of different sizes
    search      the search stage and FAISS's IndexFlatIP in turns: time, recall@20
    recall      libraries of single photos, bursts and time-lapses; texts and pictures apart:
                worst recall@20, first percentile, mean, and time, beside 640 fixed candidates
    filters     searches with filters and with several terms: time, recall@20
    cold        a new process: seconds to its first answer, peak memory, and the seconds to
                only read the same bytes
    crowd       1,000 uploads from 16 workers at once: lost ones, seconds until each is found

Prints a table; writes build/bench/index.json.
"""
