"""Decode one photo after a small one of its format, and print memory and time. Linux only: the
peak is the kernel's VmHWM, which is reset before."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.decode import decode_photo
from clipsearch.images.thumbnails import make_thumbnail


def main() -> None:
    photo, small = (Path(path).read_bytes() for path in sys.argv[1:])
    decode(small)  # imports the modules of its format
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    outcome = decode(photo)
    seconds = time.perf_counter() - began
    peak = (_memory("VmHWM") - before) / 1e6
    print(json.dumps({"peak_mb": round(peak, 1), "seconds": round(seconds, 3), "outcome": outcome}))


def decode(data: bytes) -> str:
    try:
        photo = decode_photo(data, image_size=224)
        make_thumbnail(photo.thumbnail)
    except UnreadablePhoto as error:
        return error.reason
    return f"{photo.width} x {photo.height}"


def _memory(name: str) -> int:
    """Peak resident memory in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


if __name__ == "__main__":
    main()
