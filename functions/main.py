"""Imports one entry point, `search` or `ingest`, and nothing of the other.

functions-framework sets FUNCTION_TARGET to its name before it executes this file.
"""

import os

match os.environ.get("FUNCTION_TARGET"):
    case "ingest":
        from ingest.main import ingest as ingest
    case "search":
        from search.main import search as search
    case target:
        raise SystemExit(f"FUNCTION_TARGET is {target!r}; it must be search or ingest")
