"""A finished bundle into the index bucket, and what the person does next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clipsearch.model.bundle import publish_bundle, publish_next, read_bundle
from clipsearch.storage import Bucket


def publish(folder: Path, bucket: Bucket, switch_now: bool, say: Callable[[str], None]) -> None:
    """Put the bundle of `folder` into `bucket`. It becomes current if no model is, or with
    `switch_now`. Otherwise its space is marked as being filled. DamagedObject, StorageError."""
    if switch_now:
        space = publish_bundle(folder, bucket, say=say)
        say(f"{bucket.url}: space {space} is current")
        return
    pointer = publish_next(folder, bucket, say)
    space = read_bundle(folder).bundle.space
    if pointer.space == space:  # perhaps another one is being filled
        say(f"{bucket.url}: space {space} is current")
        return
    say(f"{bucket.url}: space {space} is there; {pointer.space} answers until you switch")
    for step in ("reconcile --plan --space", "reconcile --space", "switch"):
        say(f"  next: clipsearch {step} {space} --index {bucket.url}")
    say("  name the photos and thumbnails, too, by option or setting (docs/models.md)")
