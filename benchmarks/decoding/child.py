"""What a decoder in a child process with rlimits would cost a photo (`python -m
benchmarks.decoding.child`): docs/decoding.md has the figures and the decision.

The times are CPU time of both processes. The child lives as long as its parent, so no photo pays
for its start. It takes the bytes of a photo through a pipe and answers with the square and the
thumbnail, as ingest needs them.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import statistics
import time
from multiprocessing.connection import Connection
from pathlib import Path

from PIL import Image

from benchmarks.decoding.inputs import encoded, scene
from cli import ROOT
from clipsearch.images.decode import decode_photo
from clipsearch.images.thumbnails import make_thumbnail

RESULTS = ROOT / "build" / "bench" / "decoding-child.json"
SIZES = ((640, 480), (4000, 3000), (8000, 6000))
PAIRS = 31
# No file may grow, no process may start, no core may be written.
LIMITS = (resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE)

Answer = tuple[int, int, bytes, bytes]


def main() -> None:
    found = {}
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=serve, args=(theirs,), daemon=True)
    child.start()
    small = jpeg((64, 48))
    asked(ours, small)
    found["start_ms"] = 1000 * (time.perf_counter() - began)
    found["child_mb"] = resident_mb(child.pid)
    print(f"start of the child: {found['start_ms']:.0f} ms; its memory: {found['child_mb']:.0f} MB")
    print(f"{'JPEG':14}{'file':>10}{'in process':>13}{'in a child':>13}{'more':>10}  (CPU)")
    for size in SIZES:
        photo = jpeg(size)
        pairs = []
        for _ in range(PAIRS):  # side by side, since a machine has quick and slow minutes
            (answer, inside), (other, outside) = here(photo), asked(ours, photo)
            assert answer == other
            pairs.append((1000 * inside, 1000 * outside))
        alone, apart = (statistics.median(times) for times in zip(*pairs, strict=True))
        more = statistics.median(b - a for a, b in pairs)
        name = f"{size[0]} x {size[1]}"
        found[name] = more
        print(f"{name:14}{len(photo) / 1e6:7.2f} MB{alone:10.1f} ms{apart:10.1f} ms{more:7.1f} ms")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


def serve(pipe: Connection) -> None:
    """The child: answers until its parent is gone."""
    work(jpeg((64, 48)))  # imports the decoder, which the limits would not let it do
    for limit in LIMITS:
        resource.setrlimit(limit, (0, 0))
    mark = time.process_time()
    while True:
        try:
            photo = pipe.recv_bytes()
        except EOFError:
            return
        answer, now = work(photo), time.process_time()
        pipe.send((answer, now - mark))
        mark = now  # the next answer's seconds have the sending of this one


def asked(pipe: Connection, photo: bytes) -> tuple[Answer, float]:
    """The child's answer, and the seconds of CPU of both processes."""
    began = time.process_time()
    pipe.send_bytes(photo)
    answer, seconds = pipe.recv()
    return answer, seconds + time.process_time() - began


def work(photo: bytes) -> Answer:
    """Width and height, the pixels of the square, and the thumbnail."""
    decoded = decode_photo(photo, image_size=224)
    thumbnail = make_thumbnail(decoded.thumbnail)
    return decoded.width, decoded.height, decoded.square.tobytes(), thumbnail


def here(photo: bytes) -> tuple[Answer, float]:
    """The answer of this process, and its seconds of CPU."""
    began = time.process_time()
    answer = work(photo)
    return answer, time.process_time() - began


def jpeg(size: tuple[int, int]) -> bytes:
    """With the noise of a camera, so that the file has the size of a photo's."""
    noise = Image.effect_noise(size, 24).convert("RGB")
    return encoded(Image.blend(scene(size=size), noise, 0.3), "JPEG", quality=88)


def resident_mb(pid: int | None) -> float:
    """Linux only."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
