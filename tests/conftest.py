"""Fixtures shared by several folders of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from clipsearch.storage import Bucket
from clipsearch.storage.gcs import GcsBucket
from clipsearch.storage.local import FolderBucket
from tests.support.buckets import Delegating
from tests.support.gcs_double import CloudStorageDouble, cloud_storage
from tests.support.memory import MemoryBucket

# No deadline for an example of a property: a busy machine would miss it.
hypothesis.settings.register_profile("clipsearch", deadline=None)
hypothesis.settings.load_profile("clipsearch")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove our settings, and everything that could reach a real cloud."""
    for name in list(os.environ):
        if name.startswith(("CLIPSEARCH_", "GOOGLE_", "STORAGE_EMULATOR_", "FUNCTION_")):
            monkeypatch.delenv(name)


@pytest.fixture
def gcs_double(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudStorageDouble]:
    """Cloud Storage with the empty bucket "photos", and short pages to get many of them."""
    with cloud_storage(monkeypatch, "photos", page_size=3) as double:
        yield double


@pytest.fixture(params=["folder", "gcs"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket of each kind; test-only kinds only if a test requests them."""
    if request.param == "folder":
        yield FolderBucket(tmp_path / "a bucket")
        return
    if request.param in ("memory", "delegating"):
        memory = MemoryBucket(datetime.now(UTC))
        yield memory if request.param == "memory" else Delegating(memory)
        return
    request.getfixturevalue("gcs_double")
    gcs = GcsBucket("gs://photos/some where/else")
    yield gcs
    gcs.close()
