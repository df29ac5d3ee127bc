"""Heavy modules are imported one after the other, and numpy before all that needs it."""

from __future__ import annotations

import importlib
import threading

_lock = threading.Lock()


def import_in_turn(*modules: str) -> None:
    """Import numpy, and these; any thread may, at any time.

    Two threads that import numpy at once can find it half done: one has it and waits for
    numpy.typing, the other has that and waits for numpy, and Python lets them go on. ONNX Runtime
    and FAISS, in C, take up inner modules of numpy as they are.
    """
    with _lock:
        for module in ("numpy", *modules):
            importlib.import_module(module)
