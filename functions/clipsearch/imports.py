"""Imports heavy modules one after the other, numpy first."""

from __future__ import annotations

import importlib
import threading

_lock = threading.Lock()


def import_in_turn(*modules: str) -> None:
    """Import numpy, then `modules`. Safe to call from any thread at any time.

    Two threads that import numpy at once can see it half imported. One holds numpy's import lock
    and waits for numpy.typing, the other the reverse; Python breaks this deadlock and lets both
    continue. The C code of ONNX Runtime and FAISS then uses half-initialised modules of numpy.
    """
    with _lock:
        for module in ("numpy", *modules):
            importlib.import_module(module)
