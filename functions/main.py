"""The two entry points of the one source archive; functions-framework imports this file."""

from ingest.main import ingest
from search.main import search

__all__ = ["ingest", "search"]
