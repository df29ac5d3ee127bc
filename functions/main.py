"""Imports the entry point that the framework was started for, and nothing of the other one.

functions-framework sets FUNCTION_TARGET before it executes this file: `search` or `ingest`.
"""

import os

match os.environ.get("FUNCTION_TARGET"):
    case "ingest":
        from ingest.main import ingest as ingest
    case "search":
        from search.main import search as search
    case target:
        raise SystemExit(f"FUNCTION_TARGET is {target!r}; it must be search or ingest")
