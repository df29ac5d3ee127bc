"""The figures in words and rows, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.evaluate.measure import KS
from cli.evaluate.published import SOURCE
from clipsearch.index.compaction.build_packs import EXACT_LIMIT

WAYS = {
    "text_to_image": "text to image, through search",
    "text_to_image_exact": "text to image, exact search",
    "image_to_text": "image to text, exact search",
}
NOTE = (
    "Comparable only if the index has 5,000 photos of COCO and no others. Those of val2017 are "
    "another 5,000."
)


@dataclass(frozen=True)
class Row:
    label: str
    recalls: tuple[float, ...]  # of KS

    @property
    def cells(self) -> list[str]:
        return [f"{value:.3f}" for value in self.recalls]


def measured_rows(figures: dict[str, Any]) -> list[Row]:
    found = figures["recall"]
    return [Row(label, tuple(found[way][str(k)] for k in KS)) for way, label in WAYS.items()]


def published_rows(figures: dict[str, Any]) -> list[Row]:
    return [
        Row(f"{label}, {each['label']}", tuple(each[way]))
        for way, label in (("text_to_image", "text to image"), ("image_to_text", "image to text"))
        for each in figures["published"]
    ]


def sentences(figures: dict[str, Any]) -> Iterator[str]:
    """What was measured, and what you must know to read the table."""
    photos, captions = figures["photos"], figures["captions"]
    yield (
        f"{captions['asked']:,} captions of {photos['asked']:,} photos, "
        f"each looked for among {photos['searched']:,} photos."
    )
    if photos["missing"]:
        yield (
            f"{photos['missing']:,} captioned photos are not in the index and count as not found "
            "(--only-indexed leaves them out)."
        )
    if photos["others"] and photos["others_count"]:
        yield (
            f"{photos['others']:,} other photos of the index are searched, too "
            "(--only-captioned leaves them out)."
        )
    elif photos["others"]:
        yield (
            f"{photos['others']:,} other photos of the index were skipped, on as many pages of "
            "results as needed. Pages after the first are exact."
        )
    if captions["cut"]:
        yield f"{captions['cut']:,} captions are longer than the model's context and were cut."
    if captions["repeated"]:
        yield (
            f"{captions['repeated']:,} captions are repeated word for word. For each, only its own "
            "photo counts as right."
        )
    if captions["empty"] or photos["uncaptioned"]:
        yield (
            f"Left out: {captions['empty']:,} empty captions, {photos['uncaptioned']:,} photos "
            "without a caption."
        )
    yield how_searched(figures)
    yield (
        "Overlap of search with exact search over float32: "
        f"{figures['overlap']['10']:.4f} of the best 10, {figures['overlap']['20']:.4f} of the "
        "best 20."
    )
    yield from _matching(figures["matching"])
    if "over_http" in figures:
        yield (
            f"Over HTTP, GET /?q=: {figures['over_http']['same']} of "
            f"{figures['over_http']['asked']} answers are the same."
        )
    if figures["damaged"]:
        yield f"Damaged and left out: {'; '.join(figures['damaged'])}."


def _matching(found: dict[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "Matches: unknown, because model.json has no numbers for them; --fit makes them."
        return
    numbers = f"fitted to {found['fitted']}" if found["fitted"] else "defaults; --fit fits them"
    yield (
        f"Matches ({numbers}): F1 {found['f1']:.3f} over all captions, {found['f1_mean']:.3f} on "
        f"average; calibration error {found['calibration']['error']:.3f}; "
        f"“nothing matches well” for {found['nothing']:.1%}. Only a caption's own photo counts as "
        "right, so real matches are better."
    )


def how_searched(figures: dict[str, Any]) -> str:
    indexed, quantised = figures["indexed"], figures["quantised"]
    if quantised:
        copy = ", in a copy made for this measurement" if figures["packed"] else ""
        return (
            f"Search is quantised{copy}: 4-bit codes choose candidates among {quantised:,} of "
            f"{indexed:,} photos; float16 vectors order them."
        )
    if figures["packed"]:
        return f"Search is exact, also in a packed copy: all {indexed:,} photos are compared."
    return (
        f"Search is exact: all {indexed:,} photos are compared. Above {EXACT_LIMIT:,} photos it "
        "uses codes; --packed measures them."
    )


def text(figures: dict[str, Any]) -> str:
    """The report for the terminal."""
    rows, published = measured_rows(figures), published_rows(figures)
    width = max(len(row.label) for row in (*rows, *published)) + 2
    head = "".join(f"{f'R@{k}':>8}" for k in KS)
    lines = [f"{figures['model']}, space {figures['space']}, {figures['index']}"]
    lines += [f"  {sentence}" for sentence in sentences(figures)]
    lines += ["", f"{'measured':{width}}{head}", *_lines(rows, width)]
    lines += ["", f"{'published':{width}}{head}", *_lines(published, width)]
    return "\n".join([*lines, f"  {SOURCE}.", f"  {NOTE}"])


def _lines(rows: list[Row], width: int) -> list[str]:
    return [f"{row.label:{width}}" + "".join(f"{cell:>8}" for cell in row.cells) for row in rows]
