"""Photo and text vectors for measurements, and indexes of any size from them."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from benchmarks.index.libraries import KINDS, PLAIN, photographed, sizes_of_scenes
from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Entries, Kind, key_of
from clipsearch.index.format.facts import Known, no_facts
from clipsearch.index.format.quantizer import FORMAT
from clipsearch.index.format.segments import new_segment_name, segment_bytes, segment_path
from clipsearch.storage.local import FolderBucket

Vectors = npt.NDArray[np.float32]

SPACE = "be9c40000000"
MADE_UP = "made-up"
NAMED = 4  # grows when names, vectors or facts of the photos change
SEGMENT = 65_536
BLOCK = 16_384  # vectors made at a time
NOISE = 0.01  # noise per number, added to the mix
HELD_OUT = 10  # every tenth picture is no part of a library
# Of 1000 numbers of photos, those from here on are in the folder and not in one below it.
FOLDERS = {"": 500, "2023/": 50, "2023/07/": 1, "2023/07/14/": 0}
FEW = 10  # photos in the folder few/
DIMENSION, BASE = 512, 1000  # dimension of made-up vectors


@dataclass(frozen=True)
class Data:
    """`base` (b, d): photo vectors to mix. `held_out` (h, d): others, for queries. `texts` (t, d),
    `more_texts` (u, d): of other subjects. All have length 1."""

    origin: str
    base: Vectors
    held_out: Vectors
    texts: Vectors
    more_texts: Vectors

    @classmethod
    def load(cls, path: Path | None, more_texts: Path | None = None) -> Data:
        if path is None:
            origin, (pictures, texts) = MADE_UP, made_up()
        else:
            with np.load(path, allow_pickle=False) as archive:
                pictures, texts = archive["image_vectors"], archive["text_vectors"]
            origin = hashlib.sha256(pictures.tobytes()).hexdigest()[:12]
        others = np.zeros((0, texts.shape[1]), np.float32)
        if more_texts is not None:
            with np.load(more_texts, allow_pickle=False) as archive:
                others = _units(archive["text_vectors"].astype(np.float32)).astype(np.float32)
        held_out = np.arange(len(pictures)) % HELD_OUT == 0
        return cls(origin, pictures[~held_out], pictures[held_out], texts, others)

    @property
    def common(self) -> Vectors:
        """The direction that texts share, from every second text; the others are the queries."""
        mean: Vectors = self.texts[::2].mean(axis=0)
        return mean

    def text_queries(self, count: int = 200) -> Vectors:
        """The other texts, and mixes of two of them."""
        return np.concatenate([self.texts[1::2], _mixes(self.texts[1::2], count, 0.0, seed=1)])

    def image_queries(self, count: int = 100) -> Vectors:
        """Mixes of pictures that no library has."""
        return _mixes(self.held_out, count, NOISE, seed=2)

    def photos(self, count: int, kind: str = PLAIN) -> Iterator[Vectors]:
        """`count` photos in blocks, the same in every run. `kind`: see KINDS."""
        if kind == PLAIN:
            yield from self._scenes(count)
            return
        sizes = sizes_of_scenes(KINDS[kind], count)
        yield from photographed(self._scenes(len(sizes)), sizes, self.base, BLOCK)

    def _scenes(self, count: int) -> Iterator[Vectors]:
        for begin in range(0, count, BLOCK):
            size = min(BLOCK, count - begin)
            yield _mixes(self.base, size, NOISE, seed=1000 + begin)

    def write_library(
        self, folder: Path, photos: int, space: str = SPACE, kind: str = PLAIN
    ) -> None:
        """Write an index of this many photos in its compacted form, unless it exists."""
        done = folder / "done"
        version = f"{FORMAT}.{NAMED}"
        if done.exists() and done.read_text() == version:
            return
        shutil.rmtree(folder, ignore_errors=True)  # incomplete, or of another version
        bucket = FolderBucket(folder)
        sizes: dict[str, int] = {}
        waiting: list[Vectors] = []
        begin = 0
        for block in tqdm(self.photos(photos, kind), total=-(-photos // BLOCK), desc="library"):
            waiting.append(block)
            held = sum(len(part) for part in waiting)
            if held >= SEGMENT or begin + held == photos:
                name = new_segment_name(time.time_ns() // 1000)
                columns = entries(begin, np.concatenate(waiting))
                bucket.create(segment_path(space, name), segment_bytes(space, columns))
                sizes[name] = held
                begin, waiting = begin + held, []
        commit = Commit(space, 1, tuple(sizes), sizes=sizes)
        packed = pack(bucket, commit, time.monotonic() + 3600, lambda: self.common)
        publish_commit(bucket, packed or commit)
        done.write_text(version)
        os.sync()  # or a later write to disk slows down the next measurement


def entries(begin: int, vectors: Vectors) -> Entries:
    """The photos from number `begin`, as columns."""
    count = len(vectors)
    names = [name_of(number).encode() for number in range(begin, begin + count)]
    return Entries(
        names=np.frombuffer(b"".join(names), np.uint8),
        name_ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        keys=np.array([key_of(name.decode()) for name in names], np.uint64),
        generations=np.arange(count) + 1_700_000_000_000_000,
        kinds=np.full(count, Kind.VECTOR, np.uint8),
        widths=np.full(count, 640, np.int32),
        heights=np.full(count, 480, np.int32),
        times=np.arange(count) + 1_700_000_000_000_000,
        vectors=vectors,
        reasons=np.zeros(0, np.uint8),
        reason_ends=np.zeros(0, np.int64),
        facts=_looked_at(begin, count),
    )


def _looked_at(begin: int, count: int) -> npt.NDArray[Any]:
    """Facts with a date and a random hash each: no two photos are near-duplicates."""
    facts = no_facts(count)
    facts["flags"] = Known.LOOKED | Known.LOOK | Known.TAKEN
    facts["taken"] = taken_of(0) + 60 * np.arange(begin, begin + count)
    facts["hash"] = np.random.default_rng(begin).integers(0, 2**64, count, np.uint64)
    return facts


def name_of(number: int) -> str:
    folder = next(folder for folder, least in FOLDERS.items() if number % 1000 >= least)
    return f"{'few/' if number < FEW else folder}IMG_{number:07}.jpg"


def taken_of(number: int) -> int:
    """Seconds since 1970: a photo a minute."""
    return 1_000_000_000 + 60 * number


def made_up() -> tuple[Vectors, Vectors]:
    """(photos, texts) distributed like those of a CLIP; the repository has no real ones.

    Photos lie around one direction (two have a cosine of about 0.5), in 60 clusters. They differ
    less and less along the other directions. Texts share another direction, far from the photos'
    (cosine 0.3). The rest of a text lies along the clusters, so the best photos score about 0.3.
    """
    chance = np.random.default_rng(0)
    decay = np.exp(-np.arange(DIMENSION) / 90)
    turn = np.linalg.qr(chance.normal(size=(DIMENSION, DIMENSION)))[0]
    centres = _units(chance.normal(size=(60, DIMENSION)) * decay)
    middle, gap = _units(chance.normal(size=(2, DIMENSION)))
    own = _units(chance.normal(size=(BASE, DIMENSION)) * decay)
    base = 0.72 * middle + 0.45 * centres[chance.integers(60, size=BASE)] + 0.5 * own
    meant = _units(centres[chance.integers(60, size=80)] + chance.normal(size=(80, DIMENSION)) / 20)
    texts = 0.3 * middle + 0.85 * gap + 0.3 * meant
    return _units(base @ turn).astype(np.float32), _units(texts @ turn).astype(np.float32)


def _mixes(vectors: Vectors, count: int, noise: float, seed: int) -> Vectors:
    """Endless mixes of two vectors and a little noise, with the same clusters."""
    chance = np.random.default_rng(seed)
    first, second = chance.integers(len(vectors), size=(2, count))
    share = chance.random((count, 1), dtype=np.float32)
    mixed = vectors[first] * share + vectors[second] * (1 - share)
    mixed += chance.standard_normal(mixed.shape, dtype=np.float32) * np.float32(noise)
    return _units(mixed).astype(np.float32)


def _units(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    lengths: npt.NDArray[np.floating] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / lengths
