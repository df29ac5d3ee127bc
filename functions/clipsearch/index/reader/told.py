"""Which segments hold nothing new for someone who has seen others."""

from __future__ import annotations

from collections.abc import Collection

from clipsearch.index.format.commits import Commit


class Told:
    """Finds segments without new entries, because all their sources were seen."""

    def __init__(self, seen: Collection[str], commit: Commit) -> None:
        self._seen = seen
        self._sources: dict[str, list[str]] = {}
        for old, new in commit.replaced.items() if seen else ():
            self._sources.setdefault(new, []).append(old)

    def of(self, name: str) -> bool:
        # pop: visits each segment once, so even a cycle ends
        sources = self._sources.pop(name, [])
        return bool(sources) and all(s in self._seen or self.of(s) for s in sources)
