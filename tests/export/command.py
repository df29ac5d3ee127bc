"""`clipsearch export` in this process."""

from __future__ import annotations

from cli.main import main as clipsearch


def main(arguments: list[str]) -> int:
    """Its exit code."""
    return clipsearch(["export", *arguments])
