"""Compare `clipsearch embed` on Apache Beam with `clipsearch reconcile`, in one run.

    make bench-embed [ARGS="--photos 2000 --workers 2"]

Both index the same photos into an empty index, in turns. It prints core-seconds per photo, peak
memory of one process, and whether the indexes are equal entry by entry.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.same_index import differences, states
from cli import ROOT
from cli.demo_photos import draw_demo_photos
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket

PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h
BOUND = 1.15  # core-seconds of embed, relative to reconcile
BUNDLE = ROOT / "model_export/demo/bundle"
RESULTS = ROOT / "build/bench/embed.json"


@dataclass(frozen=True, slots=True)
class Ran:
    """Of a command and all its processes. `memory`: MB, of the largest one."""

    cores_s: float
    wall_s: float
    memory: float


def run(command: str, photos: Path, folder: Path, more: Sequence[str]) -> Ran:
    """Index `photos` into the new folder `folder`."""
    publish_bundle(BUNDLE, open_bucket((folder / "index").as_uri()))
    arguments = [sys.executable, "-m", "cli", command, "--quiet", "--photos", str(photos)]
    arguments += ["--index", str(folder / "index"), "--thumbnails", str(folder / "thumbnails")]
    started = time.monotonic()
    process = subprocess.Popen([*arguments, *more], cwd=ROOT)
    _, status, its = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    wall = time.monotonic() - started
    used = [its, *orphans()]
    factor = 1 if sys.platform == "darwin" else 1024
    memory = max(one.ru_maxrss for one in used) * factor / 1e6
    return Ran(sum(one.ru_utime + one.ru_stime for one in used), wall, memory)


def adopt() -> None:
    """Become the parent of processes whose parent ends first (Linux). Beam kills its workers, so
    nobody else would count what their children used."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def orphans() -> Iterator[resource.struct_rusage]:
    """Wait for all of them; what each has used."""
    with suppress(ChildProcessError):
        while True:
            yield os.wait3(0)[2]


def main() -> None:
    adopt()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--from", dest="folder", type=Path, help="of your own photos")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    photos = options.folder or ROOT / f"build/embed-photos-{options.photos}"
    if not options.folder:
        draw_demo_photos(photos, options.photos)
    count = sum(1 for file in photos.rglob("*") if file.is_file())
    more = {"reconcile": [], "embed": ["--workers", str(options.workers)]}
    found: dict[str, list[Ran]] = {"reconcile": [], "embed": []}
    with tempfile.TemporaryDirectory() as temporary:
        for _ in range(options.rounds):
            for command, arguments in more.items():
                folder = Path(temporary) / command
                shutil.rmtree(folder, ignore_errors=True)
                found[command].append(run(command, photos, folder, arguments))
        indexes = [open_bucket((Path(temporary) / c / "index").as_uri()) for c in more]
        space = json.loads((BUNDLE / "model.json").read_text())["space"]
        different = list(differences(*(states(index, space) for index in indexes)))
    print(f"| {count:,} photos | core-ms per photo | s | MB of the largest process |")
    print("| --- | --- | --- | --- |")
    best = {command: min(runs, key=lambda ran: ran.cores_s) for command, runs in found.items()}
    for command, ran in best.items():
        print(
            f"| {command} | {1000 * ran.cores_s / count:.1f} | {ran.wall_s:.1f} "
            f"| {ran.memory:.0f} |"
        )
    ratio = best["embed"].cores_s / best["reconcile"].cores_s
    print(
        f"\nembed / reconcile: {ratio:.3f} (bound {BOUND}); entries that differ: {len(different)}"
    )
    for line in different[:10]:
        print(f"  {line}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    figures = {c: [asdict(ran) for ran in runs] for c, runs in found.items()}
    RESULTS.write_text(
        json.dumps({"photos": count, "ratio": ratio, "different": len(different), **figures})
    )


if __name__ == "__main__":
    main()
