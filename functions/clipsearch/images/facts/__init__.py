"""Facts of a photo that its file states: format, time and place. Decodes no pixels.

May import: images. Reads only metadata, never more of it than the caps here allow.
"""

from __future__ import annotations

from dataclasses import dataclass

from clipsearch.images.facts import xmp
from clipsearch.images.facts.containers import metadata_of
from clipsearch.images.facts.dates import taken_of
from clipsearch.images.facts.exif_fields import read_exif
from clipsearch.images.kinds import FIRST_BYTES, format_of


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file states; None: unknown.

    `format`: one of kinds.FORMATS. `taken`: seconds from 1970 to the time on the photographer's
    clock; `offset`: minutes of that clock east of UTC. `place`: latitude and longitude in degrees.
    `is_complete`: more of the file would not change the facts.
    """

    format: str
    taken: int | None = None
    offset: int | None = None
    place: tuple[float, float] | None = None
    is_complete: bool = False


def file_facts(data: bytes | memoryview, keeps_places: bool) -> FileFacts:
    """Read the facts from a file, or from its first bytes.

    Without `keeps_places`, the place is not read. Damaged metadata counts as absent. Raises
    UnreadablePhoto if `data` starts like no supported format.
    """
    data = memoryview(data).cast("B")
    kind = format_of(bytes(data[:FIRST_BYTES]))
    found = metadata_of(kind, data)
    exif = read_exif(found.exif, keeps_places)
    texts = xmp.texts(found.xmp or exif.xmp, keeps_places)
    taken = taken_of(exif, texts, found.created)
    place = exif.place or xmp.place(texts)
    # The whole of a TIFF is one EXIF structure.
    is_read = exif.is_whole if kind == "TIFF" else found.is_complete
    has_all = exif.original is not None and taken.offset is not None
    is_complete = is_read or (has_all and (place is not None or not keeps_places))
    return FileFacts(kind, taken.seconds, taken.offset, place, is_complete)
