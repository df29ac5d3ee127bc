"""Precision and recall of near pairs in the derived pictures, by both thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from benchmarks.stacks.pictures import ORIGINAL, VERSIONS, Picture
from clipsearch.images.look import look_of
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from clipsearch.index.search.stacks import BITS, COSINE
from clipsearch.model.encoder import Encoder

BATCH = 64
TRIED = [
    *((bits, COSINE) for bits in (4, 8, 10, BITS, 14, 16, 64)),
    *((BITS, cosine) for cosine in (-1.0, 0.85, 0.9, 0.95, 0.97)),
]


@dataclass(frozen=True, slots=True)
class Seen:
    """n pictures as a search sees them."""

    scenes: npt.NDArray[np.int64]  # (n,) those of one scene are near-duplicates
    kinds: npt.NDArray[np.str_]  # (n,)
    vectors: npt.NDArray[np.float32]  # (n, d)
    hashes: npt.NDArray[np.uint64]  # (n,)


def see(encoder: Encoder, pictures: Iterable[Picture]) -> Seen:
    scenes, kinds, vectors, hashes = [], [], [], []
    coming = iter(tqdm(pictures, desc="pictures", unit="picture"))
    while batch := list(islice(coming, BATCH)):
        photos = [encoder.decode(picture.data) for picture in batch]
        scenes += [picture.scene for picture in batch]
        kinds += [picture.kind for picture in batch]
        thumbnails = [read_pixels(make_thumbnail(photo.thumbnail)) for photo in photos]
        hashes += [look_of(thumbnail).hash for thumbnail in thumbnails]
        vectors.append(encoder.encode_image([photo.square for photo in photos]))
    return Seen(
        np.array(scenes), np.array(kinds), np.concatenate(vectors), np.array(hashes, np.uint64)
    )


class Pairs:
    """All pairs of pictures: `same` scene, bits `apart`, and `cosines`, each (n, n)."""

    def __init__(self, seen: Seen) -> None:
        self._kinds = seen.kinds
        self.same = seen.scenes[:, None] == seen.scenes
        self.apart = np.bitwise_count(seen.hashes[:, None] ^ seen.hashes)
        self.cosines = seen.vectors @ seen.vectors.T

    def near(self, bits: int = BITS, cosine: float = COSINE) -> npt.NDArray[np.bool_]:
        near: npt.NDArray[np.bool_] = (self.apart <= bits) & (self.cosines >= cosine)
        return near

    def recall(self, near: npt.NDArray[np.bool_], kind: str | None = None) -> float:
        """Of the pairs of an original and a version of it: of one kind, or of all."""
        is_version = self._kinds == kind if kind else np.isin(self._kinds, [*VERSIONS])
        is_version &= self._kinds != ORIGINAL
        pairs = self.same & (self._kinds == ORIGINAL)[:, None] & is_version
        return float(near[pairs].mean())

    def precision(self, near: npt.NDArray[np.bool_]) -> float:
        """Of all near pairs among originals, their versions and their look-alikes."""
        found = np.triu(near, 1)
        return float((found & self.same).sum() / max(1, found.sum()))

    def joined(self, kind: str, near: npt.NDArray[np.bool_]) -> float:
        """How many look-alikes of this kind are near a picture of another scene."""
        return float((near & ~self.same)[self._kinds == kind].any(1).mean())


def measure(seen: Seen) -> dict[str, Any]:
    pairs = Pairs(seen)
    near = pairs.near()
    look_alikes = [kind for kind in dict.fromkeys(seen.kinds.tolist()) if kind not in VERSIONS]
    return {
        "pictures": len(seen.scenes),
        "bits": BITS,
        "cosine": COSINE,
        "precision": pairs.precision(near),
        "recall": pairs.recall(near),
        "recall_by_kind": {kind: pairs.recall(near, kind) for kind in VERSIONS if kind != ORIGINAL},
        "joined": {kind: pairs.joined(kind, near) for kind in look_alikes},
        "tried": [
            {
                "bits": bits,
                "cosine": cosine,
                "precision": pairs.precision(pairs.near(bits, cosine)),
                "recall": pairs.recall(pairs.near(bits, cosine)),
            }
            for bits, cosine in TRIED
        ],
    }


def unlike(vectors: npt.NDArray[np.float32]) -> float:
    """The share of pairs of real, different photos whose cosine reaches COSINE."""
    count = len(vectors)
    reached = np.count_nonzero(np.triu(vectors @ vectors.T >= COSINE, 1))
    return reached / (count * (count - 1) / 2)


def table(report: dict[str, Any]) -> str:
    lines = [f"| {report['pictures']:,} pictures | measured | goal |", "| --- | --- | --- |"]
    lines.append(f"| precision of pairs | {report['precision']:.4f} | 0.99 |")
    lines.append(f"| recall of pairs | {report['recall']:.3f} | 0.90 |")
    lines += [f"| recall, {kind} | {v:.3f} | |" for kind, v in report["recall_by_kind"].items()]
    lines += [f"| in a wrong stack: {kind} | {v:.3f} | |" for kind, v in report["joined"].items()]
    if "unlike" in report:
        share = report["unlike"]
        lines.append(f"| pairs of real photos with a cosine of {COSINE} | {share:.1e} | |")
    lines += ["", "| bits | cosine | precision | recall |", "| --- | --- | --- | --- |"]
    for one in report["tried"]:
        cosine = one["cosine"] if one["cosine"] >= 0 else "any"
        bits = one["bits"] if one["bits"] < 64 else "any"
        lines.append(f"| {bits} | {cosine} | {one['precision']:.4f} | {one['recall']:.3f} |")
    return "\n".join(lines)
