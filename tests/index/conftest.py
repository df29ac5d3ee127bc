"""A read-only library with packs."""

from __future__ import annotations

import pytest

from clipsearch.index.format.segments import write_segment
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, failure, tombstone
from tests.index.packed import COUNT, commit_of, photos, publish_packed


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    """Three packs with entries of all kinds, and a few photos added later."""
    bucket = FolderBucket(tmp_path_factory.mktemp("library"))
    commit = commit_of(
        bucket,
        [*photos(0, 2500), failure("broken", 1), tombstone("gone", 3)],
        photos(2500, 5000),
        [tombstone("also gone", 3), *photos(5000, COUNT - 100)],
    )
    publish_packed(bucket, commit)
    write_segment(bucket, SPACE, photos(COUNT - 100, COUNT))
    return bucket
