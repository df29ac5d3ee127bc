"""Thumbnails in their bucket. `at` is the generation of the photo's entry, which is in the name."""

from __future__ import annotations

from contextlib import suppress

from clipsearch.errors import ObjectExists, ObjectNotFound
from clipsearch.images.thumbnails import CONTENT_TYPE, THUMBNAIL, thumbnail_name
from ingest.services import Services

FOR_EVER = "public, max-age=31536000, immutable"  # a new generation gets a new name


def read_thumbnail(name: str, at: int, services: Services) -> bytes | None:
    """None if it does not exist. Raises StorageError."""
    try:
        return services.thumbnails.read(thumbnail_name(name, at, THUMBNAIL))
    except ObjectNotFound:
        return None


def write_thumbnail(name: str, at: int, data: bytes, services: Services) -> None:
    path = thumbnail_name(name, at, THUMBNAIL)
    # Another release of the image library may have encoded the same picture differently.
    with suppress(ObjectExists):
        services.thumbnails.create(path, data, CONTENT_TYPE, FOR_EVER)


def remove_thumbnail(name: str, at: int, services: Services) -> None:
    """Remove it in every version."""
    for path in {thumbnail_name(name, at, version) for version in range(1, THUMBNAIL + 1)}:
        services.thumbnails.delete(path)
