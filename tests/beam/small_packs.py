"""Compaction in a process of its own, which packs small indexes, too."""

from cli.embed import apart, compaction
from clipsearch.index.compaction import build_packs


def to_pack(*given):
    return build_packs.to_pack(*given, exact_limit=100, worth_packing=20)  # type: ignore[misc]


if __name__ == "__main__":
    setattr(compaction, "to_pack", to_pack)  # noqa: B010
    apart.main()
