from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.thumbnails.measure import Figures, Setting, decoding, preview, thumbnail
from benchmarks.thumbnails.pictures import LARGE, SMALL, heic, jpeg, photograph
from clipsearch.images import previews, thumbnails


def _webp(quality: int, method: int) -> dict[str, int]:
    return {"quality": quality, "method": method}


REPORT = Path("build/bench/thumbnails.json")
NOW = _webp(thumbnails.QUALITY, thumbnails.METHOD)
LANCZOS = Image.Resampling.LANCZOS
THUMBNAILS = [
    Setting("once: 320, Lanczos, WebP 80, method 4", 320, "WEBP", _webp(80, 4), LANCZOS),
    Setting("before: 480, Lanczos, WebP 75, method 2", 480, "WEBP", _webp(75, 2), LANCZOS),
    Setting("now: 480, bicubic, WebP 75, method 0", thumbnails.LONGER_SIDE, "WEBP", NOW),
    Setting("480, bicubic, WebP 75, method 2", 480, "WEBP", _webp(75, 2)),
    Setting("480, bicubic, WebP 80, method 0", 480, "WEBP", _webp(80, 0)),
    Setting("480, bicubic, WebP 75, method 4", 480, "WEBP", _webp(75, 4)),
    Setting("480, Hamming, WebP 75, method 0", 480, "WEBP", NOW, Image.Resampling.HAMMING),
    Setting("480, bicubic, JPEG 80", 480, "JPEG", {"quality": 80}),
]
LONGER = previews.LONGER_SIDE
PREVIEWS = [
    Setting("now: JPEG 80", LONGER, "JPEG", {"quality": previews.QUALITY}),
    Setting("JPEG 80, progressive", LONGER, "JPEG", {"quality": 80, "progressive": True}),
    Setting("WebP 75, method 0", LONGER, "WEBP", {"quality": 75, "method": 0}),
    Setting("WebP 75, method 4", LONGER, "WEBP", {"quality": 75, "method": 4}),
]
HEAD = "ms | of it encoding | KB | SSIM | $ to make | $ a month to keep | $ to send"


def main() -> None:
    small = [jpeg(photograph(SMALL, seed)) for seed in range(6)]
    pictures = [photograph(LARGE, seed) for seed in range(2)]
    large = [jpeg(picture) for picture in pictures]
    phone = [heic(picture) for picture in pictures]
    report: dict[str, Any] = {}
    for name, photos in (("640 x 480", small), ("12 MP", large)):
        title = f"thumbnails, JPEG of {name} ({_kb(photos):.0f} KB)"
        report[title] = _table(title, THUMBNAILS, partial(thumbnail, photos), 0)
    for name, photos in (("JPEG", large), ("HEIC", phone)):
        title = f"previews, {name} of 12 MP ({_kb(photos):.0f} KB)"
        report[title] = _table(title, PREVIEWS, partial(preview, photos), 1)
    report["decoding for the encoder, ms"] = {
        "JPEG of 640 x 480": decoding(small),
        "JPEG of 12 MP": decoding(large),
        "HEIC of 12 MP": decoding(phone),
    }
    print("\ndecoding for the encoder, with the thumbnail's resizing:")
    for name, ms in report["decoding for the encoder, ms"].items():
        print(f"  {name}: {ms:.0f} ms")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1))


def _table(
    title: str,
    settings: Sequence[Setting],
    measure: Callable[[Setting], Figures],
    writes: int,
) -> dict[str, Any]:
    """Measure, and print. `writes`: requests that each picture adds."""
    print(f"\n| {title}; dollars for a million | {HEAD} |\n| --- |{' --- |' * 7}")
    rows = {}
    for setting in settings:
        one = measure(setting)
        once = one.dollars_once(writes)
        print(
            f"| {setting.name} | {one.ms:.1f} | {one.encode:.1f} | {one.bytes / 1000:.1f} "
            f"| {one.likeness:.3f} | {once:.2f} | {one.dollars_a_month:.2f} "
            f"| {one.dollars_shown:.2f} |",
            flush=True,
        )
        rows[setting.name] = {
            **asdict(one),
            "dollars_once": once,
            "dollars_a_month": one.dollars_a_month,
            "dollars_shown": one.dollars_shown,
        }
    return rows


def _kb(photos: Sequence[bytes]) -> float:
    return sum(map(len, photos)) / len(photos) / 1000


if __name__ == "__main__":
    main()
