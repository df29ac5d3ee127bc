"""Code shared by `search` and `ingest`, without HTTP and CloudEvents. Imports nothing heavy."""

import os

# numpy reads these on import, so they must be set before. By default the threads of OpenBLAS then
# spin for 25 ms on a core that the cold start needs. Huge pages make loading uneven: a million
# photos took 0.8 to 1.7 s with them, 0.90 to 0.95 s without. Searches are as fast without them.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2 ** 4 cycles
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")

# ONNX Runtime reads this on import. Without it, ONNX Runtime writes a device id to
# ~/.cache/Microsoft and sends telemetry to Microsoft, unless CI is set.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
