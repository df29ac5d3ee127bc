"""TIFF 6.0: finds the page with the picture and reads it with Pillow and libtiff.

Covers what Pillow gets wrong or does not support: reduced copies as pages, planes of 16 bits,
WhiteIsZero with more than 8 bits, 12 and 32 bits, floats.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.colour import Meaning
from clipsearch.images.exif import ORIENTATION, Directory, TagReader
from clipsearch.images.picture import Header, Pixels
from clipsearch.images.tiff_grey import GREY, UNSIGNED, grey_kind, grey_or_plain_crop
from clipsearch.images.tiff_tags import (
    BITS,
    COMPRESSION,
    DNG,
    FORMAT,
    HEIGHT,
    NO_DATA,
    OLD_SUBFILE,
    PHOTOMETRIC,
    PLANAR,
    PROFILE,
    ROWS,
    SAMPLES,
    SUB_DIRECTORIES,
    SUBFILE,
    TILE_HEIGHT,
    TILE_WIDTH,
    WIDTH,
)

if TYPE_CHECKING:
    from PIL import TiffImagePlugin


_WANTED = {
    *(SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION),
    *(SAMPLES, ROWS, PLANAR, TILE_WIDTH, TILE_HEIGHT, SUB_DIRECTORIES, FORMAT, NO_DATA, DNG),
}
MAX_DIRECTORIES = 64
# Tiles extend beyond the picture's edge, so one may be somewhat larger than the picture.
MAX_TILE_PIXELS = 4_000_000
RAW_PHOTOMETRICS = {32803, 34892}  # colour filter array, linear raw: TIFF/EP, DNG
# Unsupported compressions. LZMA: libtiff allocates as much memory as the file asks for.
COMPRESSIONS = {
    34661: "JBIG", 34712: "JPEG 2000", 34713: "Nikon NEF", 34715: "JBIG2",
    34887: "LERC", 34925: "LZMA", 33003: "JPEG 2000", 33005: "JPEG 2000", 50002: "JPEG XL",
    52546: "JPEG XL", 32767: "Sony ARW", 32766: "NeXT", 32895: "CCITT with padding", 34892: "DNG",
}  # fmt: skip
READ = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34676, 34677, 50000, 50001}


def read_header(data: bytes) -> Header:
    try:
        reader = TagReader(data, _WANTED)
        page = _page(reader, data)
    except ValueError as exc:
        raise UnreadablePhoto(f"damaged or cut off TIFF: {exc}") from exc
    _check_compression(page)
    width, height = page.first(WIDTH), page.first(HEIGHT)
    samples, bits = page.first(SAMPLES, 1), max(page.tags.get(BITS) or (1,))
    chunk = _chunk_pixels(page, width, height) * samples * max(1, bits // 8)
    a_pixel = 1 if samples == 1 and bits <= 8 else 4
    memory = width * height * a_pixel + chunk
    if page.first(COMPRESSION) in (6, 7) and b"\xff\xc2" in data:
        memory += 2 * chunk  # the coefficients of a progressive JPEG
    return Header(width, height, memory, lambda: _load(_beginning_at(page, reader, data), page))


def _page(reader: TagReader, data: bytes) -> Directory:
    """Return the first page that is not a reduced copy; the largest page if all are."""
    pages = [page for page in _directories(reader) if page.first(WIDTH) and page.first(HEIGHT)]
    is_raw = data[8:10] == b"CR" or any(
        DNG in page.tags or page.first(PHOTOMETRIC) in RAW_PHOTOMETRICS for page in pages
    )
    if is_raw:
        raise UnreadablePhoto("camera raw is not supported; convert it to JPEG or TIFF")
    if not pages:
        raise ValueError("it has no page with a width and a height")
    full = [p for p in pages if not p.first(SUBFILE) & 1 and p.first(OLD_SUBFILE) != 2]
    return full[0] if full else max(pages, key=lambda page: page.first(WIDTH) * page.first(HEIGHT))


def _directories(reader: TagReader) -> Iterator[Directory]:
    """Yield the pages in order, each followed by its sub-directories.

    Skips unreadable ones. Raises ValueError if the first one is unreadable.
    """
    seen: set[int] = set()
    waiting = [reader.first]
    while waiting and len(seen) < MAX_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or not at:
            continue
        seen.add(at)
        try:
            directory = reader.directory(at)
        except ValueError:
            if len(seen) == 1:
                raise
            continue
        yield directory
        waiting = [*directory.tags.get(SUB_DIRECTORIES, ()), *waiting, directory.next]


def _check_compression(page: Directory) -> None:
    compression = page.first(COMPRESSION, 1)
    if compression not in READ:
        name = COMPRESSIONS.get(compression, f"number {compression}")
        raise UnreadablePhoto(f"TIFF compression {name} is not supported")


def _chunk_pixels(page: Directory, width: int, height: int) -> int:
    """Return the pixels of a tile or strip, which libtiff decodes into its own buffer."""
    across, down = page.first(TILE_WIDTH), page.first(TILE_HEIGHT)
    if not across or not down:
        return width * min(height, page.first(ROWS, height) or height)
    if across * down > max(MAX_TILE_PIXELS, width * height):
        raise UnreadablePhoto(
            f"tiles of {across} x {down} pixels for a picture of {width} x {height}; at most "
            f"{MAX_TILE_PIXELS // 1_000_000} megapixels or the size of the picture are allowed"
        )
    return across * down


def _beginning_at(page: Directory, reader: TagReader, data: bytes) -> bytes:
    """Return `data` with this page as the first one, which is the one that Pillow reads."""
    if page.at == reader.first:
        return data
    at, form = (8, "Q") if reader.is_big else (4, "I")
    number = struct.pack(reader.order + form, page.at)
    return data[:at] + number + data[at + len(number) :]


def _load(data: bytes, page: Directory) -> Pixels:
    try:
        picture = _page_class()(io.BytesIO(data))
    except SyntaxError as exc:
        if "unknown" not in str(exc):  # Pillow: "unknown pixel mode", "unknown data organization"
            raise
        bits, kind = page.tags.get(BITS, (1,)), page.first(FORMAT, UNSIGNED)
        raise UnreadablePhoto(
            f"TIFF with {page.first(SAMPLES, 1)} samples of {max(bits)} bits "
            f"(format {kind}, colours {page.first(PHOTOMETRIC)}) is not supported"
        ) from exc
    if picture.mode == "LAB":
        raise UnreadablePhoto("TIFF in LAB colours is not supported; convert it to RGB")
    picture.load()
    profile, orientation = picture.tag_v2.get(PROFILE), page.first(ORIENTATION, 1)
    return Pixels(
        grey_or_plain_crop(picture, page),
        picture.size,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        meaning=Meaning(icc=profile if isinstance(profile, bytes) else None),
    )


@functools.cache
def _page_class() -> type[TiffImagePlugin.TiffImageFile]:
    """Define the class on first use, because it needs Pillow."""
    from PIL import ImageFile, TiffImagePlugin

    class Page(TiffImagePlugin.TiffImageFile):
        """Ignores the orientation while loading: turning would copy the picture; raster.py turns.

        Uses libtiff wherever Pillow's own reader is wrong.
        """

        def _setup(self) -> None:
            with suppress(KeyError):
                del self.tag_v2[ORIENTATION]
            kind = grey_kind(self.tag_v2)
            if kind in GREY:
                self._compression = TiffImagePlugin.COMPRESSION_INFO[
                    self.tag_v2.get(COMPRESSION, 1)
                ]
                self._planar_configuration = 1
                self._tile_size = self._size = self.tag_v2[WIDTH], self.tag_v2[HEIGHT]
                self._mode, rawmode = GREY[kind]
                self._read_by_libtiff(rawmode)
                return
            super()._setup()
            if self._planar_configuration == 2 and max(self.tag_v2.get(BITS, (1,))) == 16:
                self._read_by_libtiff(f"{self.mode};16N")

        def _read_by_libtiff(self, rawmode: str) -> None:
            self.use_load_libtiff = True
            extents, args = (0, 0, *self._tile_size), (rawmode, False, self.tag_v2.offset)
            self.tile = [ImageFile._Tile("libtiff", extents, 0, args)]

        def load_end(self) -> None:
            pass

    return Page
