"""Thumbnails and previews in their bucket. `at` is the generation of the photo's entry, which is in
the name."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from clipsearch.errors import ObjectExists, ObjectNotFound
from clipsearch.images import previews, thumbnails
from clipsearch.images.previews import preview_name
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from ingest.services import Services

FOR_EVER = "public, max-age=31536000, immutable"  # a new generation gets a new name


def read_thumbnail(name: str, at: int, services: Services) -> bytes | None:
    """None if it does not exist. Raises StorageError."""
    try:
        return services.thumbnails.read(thumbnail_name(name, at, THUMBNAIL))
    except ObjectNotFound:
        return None


def write_thumbnail(name: str, at: int, data: bytes, services: Services) -> None:
    _write(thumbnail_name(name, at, THUMBNAIL), data, thumbnails.CONTENT_TYPE, services)


def has_preview(name: str, at: int, services: Services) -> bool:
    """Raises StorageError."""
    try:
        services.thumbnails.stat(preview_name(name, at))
    except ObjectNotFound:
        return False
    return True


def write_preview(name: str, at: int, data: bytes, services: Services) -> None:
    _write(preview_name(name, at), data, previews.CONTENT_TYPE, services)


def remove_thumbnail(name: str, at: int, services: Services) -> None:
    """Remove it in the version that this release writes."""
    services.thumbnails.delete(thumbnail_name(name, at, THUMBNAIL))


def remove_pictures(name: str, at: int, services: Services) -> None:
    """Remove the thumbnail in every version, and the preview."""
    for path in _paths(name, at):
        services.thumbnails.delete(path)


def remove_pictures_of(
    photos: Iterable[tuple[str, int]], services: Services, pool: ThreadPoolExecutor
) -> None:
    """remove_pictures() of each (name, at), side by side."""
    paths = [path for name, at in photos for path in _paths(name, at)]
    list(pool.map(services.thumbnails.delete, paths))


def _paths(name: str, at: int) -> list[str]:
    versions = range(1, THUMBNAIL + 1)
    return [*(thumbnail_name(name, at, v) for v in versions), preview_name(name, at)]


def _write(path: str, data: bytes, content_type: str, services: Services) -> None:
    # Another release of the image library may have encoded the same picture differently.
    with suppress(ObjectExists):
        services.thumbnails.create(path, data, content_type, FOR_EVER)
