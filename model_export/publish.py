"""A finished bundle into the index bucket, and what the person does next."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from clipsearch.errors import ModelNotAllowed, NoModel
from clipsearch.model.bundle import digest_in, publish_bundle, publish_next, read_bundle
from clipsearch.model.manifest import MODEL_JSON
from clipsearch.model.pointer import current_pointer
from clipsearch.storage import Bucket


def publish(
    folder: Path,
    bucket: Bucket,
    switch_now: bool,
    say: Callable[[str], None],
    allowed: Collection[str] = (),
) -> None:
    """Put the bundle of `folder` into `bucket`. It becomes current if no model is, or with
    `switch_now`. Otherwise its space is marked as being filled.

    `allowed`: the digests of CLIPSEARCH_MODEL_SHA256. A model that is not among them can be put in
    and filled. It does not become current: ModelNotAllowed. Also DamagedObject, StorageError."""
    digest = digest_in(folder)
    is_allowed = not allowed or digest in allowed
    if not is_allowed and (switch_now or not _has_model(bucket)):
        raise ModelNotAllowed(str(folder / MODEL_JSON), digest, allowed)
    if switch_now:
        space = publish_bundle(folder, bucket, say=say)
        say(f"{bucket.url}: space {space} is current")
        return
    pointer = publish_next(folder, bucket, say)
    space = read_bundle(folder).bundle.space
    if pointer.space == space:  # perhaps another one is being filled
        say(f"{bucket.url}: space {space} is current")
        return
    say(f"the SHA-256 of its model.json: {digest}")
    if not is_allowed:
        say("CLIPSEARCH_MODEL_SHA256 must allow it before you switch (docs/models.md)")
    say(f"{bucket.url}: space {space} is there; {pointer.space} answers until you switch")
    for step in ("reconcile --plan --space", "reconcile --space", "switch"):
        say(f"  next: clipsearch {step} {space} --index {bucket.url}")
    say("  name the photos and thumbnails, too, by option or setting (docs/models.md)")


def _has_model(bucket: Bucket) -> bool:
    try:
        current_pointer(bucket)
    except NoModel:
        return False
    return True
