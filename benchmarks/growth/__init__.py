"""Measure how cost grows with the number of photos: `make bench-growth`.

    cold start   CPU seconds of a new process to its first answer, imports included
    search       CPU ms of a text's search, median of 40
    memory       MB of that process after a search
    refresh      CPU ms until a running search has one upload
    upload       storage requests of one upload; its bytes are in the JSON
    compaction   CPU seconds to merge 20 uploads
    reconcile    CPU seconds to compare all photos with the index, if all are indexed

CPU time, so that a busy machine matters less. Each row ends with the slope between its last sizes
and over all sizes in a log-log plot: 1 is linear, 0 is constant.
Prints a table; writes build/bench/growth.json and docs/growth.svg.
"""
