"""What `search` and `ingest` share. Knows no HTTP and no CloudEvents; imports nothing heavy."""

import os

# Before numpy is imported, of which this is a part: left to itself, OpenBLAS has its threads
# spin for 25 ms from then on, on a core that the rest of a cold start needs.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2 ** 4 cycles
