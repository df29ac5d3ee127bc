"""The original app's script that builds its index, re-created for measurement.

python -m benchmarks.system.original_ingest MODEL OUT reads URLs of photos from standard input, one
a line. It prints photos per second.
"""

from __future__ import annotations

import pickle
import sys
import time
import urllib.request
from pathlib import Path

import faiss

from benchmarks.encoder_sides import theirs


def main() -> None:
    model, out = sys.argv[1:]
    encode_images = theirs(model)[1]
    addresses = sys.stdin.read().split()
    encode_images([_download(addresses[0])])  # warm-up: the first one takes longer
    index, begin = None, time.perf_counter()
    for address in addresses:
        vector = encode_images([_download(address)])
        index = index or faiss.IndexFlatIP(vector.shape[1])
        index.add(vector)
    seconds = time.perf_counter() - begin
    with Path(out).open("wb") as file:
        pickle.dump(index, file)
    print(len(addresses) / seconds)


def _download(address: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=60) as answer:
        data: bytes = answer.read()
        return data


if __name__ == "__main__":
    main()
