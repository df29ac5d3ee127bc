"""python -m benchmarks.terms [--scenes N]: see the package."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.terms import world as worlds
from benchmarks.terms.queries import Case, kinds
from benchmarks.terms.world import World
from cli import ROOT
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.settings import Settings
from clipsearch.storage import open_bucket
from model_export.demo import BUNDLE
from search.engine.embedding import embedded
from search.engine.model import ModelKeeper
from search.engine.service import Service
from search.engine.timing import Timing

RESULT = ROOT / "build" / "bench" / "terms.json"
GOALS = {"A and B": 0.95, "A not B": 0.95, 'picture + "blue"': 0.85, 'picture + "a blue car"': 0.85}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-terms", description="measure terms")
    parser.add_argument("--scenes", type=int, default=worlds.SCENES)
    count = parser.parse_args().scenes
    encoder = Encoder.from_folder(BUNDLE)
    world = worlds.load(encoder, RESULT.parent, count)
    with tempfile.TemporaryDirectory() as folder:
        settings = _library(Path(folder), world, encoder.space)
        report = {
            "space": encoder.space,
            "scenes": count,
            "kinds": {
                kind: _measured(cases, world, settings)
                for kind, cases in kinds(world, encoder.space).items()
            },
        }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    print(f"written to {RESULT}")


def _library(folder: Path, world: World, space: str) -> Settings:
    """Settings of a search over the world in `folder`."""
    parts = ("photos", "index", "thumbnails")
    environment = {f"CLIPSEARCH_{p.upper()}": (folder / p).as_uri() for p in parts}
    for part in ("PHOTOS", "THUMBNAILS"):
        environment[f"CLIPSEARCH_{part}_URL"] = "http://localhost"
    bucket = open_bucket(environment["CLIPSEARCH_INDEX"])
    publish_bundle(BUNDLE, bucket)
    entries = [
        Entry(f"{i}.jpg", 1, Kind.VECTOR, 320, 320, time_us=1, vector=vector)
        for i, vector in enumerate(world.vectors)
    ]
    write_segment(bucket, space, entries)
    return Settings.from_env(environment)


def _measured(cases: Sequence[Case], world: World, settings: Settings) -> dict[str, Any]:
    service = Service(settings)
    model = ModelKeeper(settings).model()
    ours, rclip, plain, seconds = [], [], [], []
    sample = world.vectors[:4096]
    for case in cases:
        begin = time.perf_counter()
        answer = service.answer(case.query, Timing())
        seconds.append(time.perf_counter() - begin)
        ours.append(np.array([int(r["name"].removesuffix(".jpg")) for r in answer["results"]]))
        terms = np.stack([embedded(t, model, Timing()).vector for t in case.query.terms])
        weights = np.array([term.weight for term in case.query.terms])
        rclip.append(_best(world, weights @ terms))
        plain.append(_best(world, (weights / (sample @ terms.T).std(0)) @ terms))
    return {
        "queries": len(cases),
        "clipsearch": _figures(cases, ours),
        "rclip": _figures(cases, rclip),
        "plain": _figures(cases, plain),
        "ms": round(1000 * float(np.median(seconds)), 2),
    }


def _best(world: World, vector: Any) -> Any:
    return np.argsort(-(world.vectors @ vector), kind="stable")[:10]


def _figures(cases: Sequence[Case], found: Sequence[Any]) -> dict[str, float]:
    """Mean precision@10, and the share of queries without an unwanted photo in the first 10."""
    pairs = list(zip(cases, found, strict=True))
    figures = {"precision": round(float(np.mean([c.true[f].mean() for c, f in pairs])), 3)}
    clean = [not c.unwanted[f].any() for c, f in pairs if c.unwanted is not None]
    if clean:
        figures["clean"] = round(float(np.mean(clean)), 3)
    return figures


def table(report: dict[str, Any]) -> str:
    lines = [
        f"| {report['scenes']:,} scenes | queries | goal | clipsearch | rclip | plain sum |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, found in report["kinds"].items():
        cells = [kind, str(found["queries"]), str(GOALS.get(kind, ""))]
        for way in ("clipsearch", "rclip", "plain"):
            its = found[way]
            clean = f"; {its['clean']:.3f}" if "clean" in its else ""
            cells.append(f"{its['precision']:.3f}{clean}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
