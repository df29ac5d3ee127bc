"""Ours: the encoder in 8 bits, and the index, loaded as the function `search` does it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.peers.given import LIMIT, Given

EFFORTS = (None,)  # it decides for each query


def open_side(what: str, given: Given, effort: None) -> Callable[[int], Any]:
    sys.path.append("functions")
    if what == "search":
        search, queries = _search(given), given.queries()
        return lambda number: search(queries[number % len(queries)])
    if what == "answer":
        with ThreadPoolExecutor(1) as beside:
            opening = beside.submit(_search, given)
            encode = _encode_text(given)
            encode(0)  # loads the text tower
        by_vector = opening.result()
        return lambda number: by_vector(encode(number))
    if what == "text":
        return _encode_text(given)
    return _encode_pictures(given, what)


def _search(given: Given) -> Callable[[Any], list[int]]:
    from clipsearch.index.reader.snapshot_reader import SnapshotReader
    from clipsearch.index.search.photo_index import PhotoIndex
    from clipsearch.storage.local import FolderBucket

    index = PhotoIndex()
    index.update(SnapshotReader(FolderBucket(Path(given.index)), given.space).refresh())
    return lambda query: [_row(hit.name) for hit in index.search(query, LIMIT)]


def _row(name: str) -> int:
    """Of a photo that benchmarks.index.data named: …IMG_0000007.jpg is 7."""
    return int(name.rpartition("_")[2].removesuffix(".jpg"))


def _encode_text(given: Given) -> Callable[[int], Any]:
    from clipsearch.model.encoder import Encoder

    encoder = Encoder.from_folder(Path(given.bundles) / "int8")
    texts = given.texts
    return lambda number: encoder.encode_text([texts[number % len(texts)]]).vectors[0]


def _encode_pictures(given: Given, what: str) -> Callable[[int], Any]:
    from clipsearch.cpus import cpus
    from clipsearch.model.encoder import Encoder

    if what == "picture":
        photos = [path.read_bytes() for path in given.picture_paths]
        encoder = Encoder.from_folder(Path(given.bundles) / "int8")

        def encode(number: int) -> Any:
            return encoder.encode_image([encoder.decode(photos[number % len(photos)]).square])

        return encode
    many = Encoder.from_folder(Path(given.bundles) / "int8", side_by_side=True)
    pool = ThreadPoolExecutor(cpus())

    def decode(path: Path) -> Any:
        return many.decode(path.read_bytes()).square

    return lambda _: many.encode_image(list(pool.map(decode, given.many_paths)))
