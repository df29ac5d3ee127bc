"""What `search` and `ingest` share. Knows no HTTP and no CloudEvents; imports nothing heavy."""

import os

# For numpy, and so before it is imported. Left to itself, OpenBLAS has its threads spin for 25 ms
# from then on, on a core that the rest of a cold start needs. And huge pages take a machine at
# times three times as long to provide: a million photos were loaded in 0.8 to 1.7 s with them, in
# 0.90 to 0.95 s without; searching takes as long.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2 ** 4 cycles
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")

# ONNX Runtime reads this on import. Without it, it writes a device id below ~/.cache/Microsoft and
# reports to its maker, except where CI is set.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
