"""Imports one entry point, `search`, `ingest` or `stopper`, and nothing of the others.

functions-framework sets FUNCTION_TARGET to its name before it executes this file.
"""

import gc
import os

match os.environ.get("FUNCTION_TARGET"):
    case "ingest":
        from ingest.main import ingest as ingest
    case "search":
        # Imports leave next to nothing to collect: 40 ms of a cold start. Until the first answer.
        gc.disable()
        from search.main import search as search
    case "stopper":
        from stopper.main import stopper as stopper
    case target:
        raise SystemExit(f"FUNCTION_TARGET is {target!r}; it must be search, ingest or stopper")
