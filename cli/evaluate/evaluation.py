"""`clipsearch evaluate`: measures and reports."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cli.common.command import say_wrong
from cli.common.errors import RunError
from cli.common.output import result, say
from cli.evaluate.captions import Captioned, read_captions
from cli.evaluate.demo import PREFIX, make_demo_set
from cli.evaluate.library import Library, open_library
from cli.evaluate.matching import Judged, fit_matching, measure_matching, write_matching
from cli.evaluate.measure import measure, rows_of
from cli.evaluate.options import Options
from cli.evaluate.over_http import ask_over_http
from cli.evaluate.packing import packed
from cli.evaluate.page import page
from cli.evaluate.report import text
from clipsearch.matching import default_matching
from clipsearch.storage import open_bucket


def evaluate(options: Options) -> int:
    """The exit code. 0: measured; 1: answers over HTTP differ. Raises RunError."""
    captions, index, prefix = options.captions, options.index, options.prefix
    if captions is None:
        name = f"demo-{options.count}-{options.others}"
        made = make_demo_set(options.out / "evaluate" / name, options.count, options.others)
        captions, index, prefix = made.captions, made.index, PREFIX
    captioned = read_captions(captions, prefix)
    library = open_library(open_bucket(index), options.space)
    captioned = _chosen(captioned, library, options)
    figures = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": captions.name,
        "index": index,
        "packed": options.packed,
        **_measured(library, captioned, index, options),
    }
    result(figures, text(figures))
    _write(figures, options.out)
    return _exit_code(figures)


def _chosen(captioned: Captioned, library: Library, options: Options) -> Captioned:
    """The photos to measure, by the options. RunError if none of them is indexed."""
    rows = rows_of(captioned, library)
    if (rows < 0).all():
        raise RunError(
            f"none of the {len(rows):,} captioned photos is in the index; its names are like "
            f"{library.names[0]!r}, not like {captioned.names[0]!r}; set --prefix"
        )
    photos = np.flatnonzero(rows >= 0) if options.only_indexed else np.arange(len(rows))
    chosen = photos[: options.count or len(photos)]
    if (rows[chosen] < 0).all():
        raise RunError(
            f"none of the first {len(chosen):,} captioned photos is in the index, but "
            f"{np.count_nonzero(rows >= 0):,} others are; add --only-indexed to use those"
        )
    return captioned.only(chosen.tolist())


def _measured(
    library: Library, captioned: Captioned, index: str, options: Options
) -> dict[str, Any]:
    def judge(judged: Judged) -> dict[str, Any] | None:
        return _judged(library, judged, options)

    if not options.packed:
        figures = measure(library, captioned, options.only_captioned, judge)
        return figures | {"over_http": ask_over_http(library, index, captioned.texts)}
    with tempfile.TemporaryDirectory(prefix="clipsearch-") as folder:
        return measure(packed(library, Path(folder)), captioned, options.only_captioned, judge)


def _judged(library: Library, judged: Judged, options: Options) -> dict[str, Any] | None:
    """The figures of matches; None for a model without the numbers. Fits them with --fit."""
    bundle = library.model.encoder.bundle
    matching = bundle.matching
    if options.fit and options.captions:
        start = matching or default_matching(bundle.logit_scale)
        matching = fit_matching(library, judged, start, options.captions.name)
        write_matching(open_bucket(options.index), library, matching)
        say(f"numbers for matches written to model.json of space {bundle.space}")
    return measure_matching(library, judged, matching) if matching else None


def _write(figures: dict[str, Any], out: Path) -> None:
    (out / "bench").mkdir(parents=True, exist_ok=True)
    (out / "bench" / "evaluate.json").write_text(json.dumps(figures, indent=1) + "\n")
    (out / "evaluate.html").write_text(page(figures))
    say(f"written to {out / 'evaluate.html'} and {out / 'bench' / 'evaluate.json'}")


def _exit_code(figures: dict[str, Any]) -> int:
    http = figures.get("over_http", {"asked": 0, "same": 0})
    if http["same"] == http["asked"]:
        return 0
    different = http["asked"] - http["same"]
    say_wrong(f"{different} of {http['asked']} answers over HTTP differ from those measured")
    return 1
