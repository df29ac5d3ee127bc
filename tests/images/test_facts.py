"""What a file states about a photo: when, where, which format."""

from __future__ import annotations

import struct
import time
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.facts import FileFacts, file_facts
from tests.images.scene import chunk
from tests.images.stating import GREENWICH, PILLOW, TAKEN, exif, stating, usual, xmp
from tests.support.pictures import encoded, jpeg, picture

PLACE: Any = pytest.approx((51.4778, -0.001475))
ORIGINAL, DIGITIZED, CHANGED = "2001:01:01 00:00:00", "2002:01:01 00:00:00", "2003:01:01 00:00:00"
YEAR_2001 = 978_307_200  # and so on, by year
YEAR_2002, YEAR_2003, YEAR_2004 = 1_009_843_200, 1_041_379_200, 1_072_915_200


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def facts_of(times=None, gps=None, changed="", xmp=None) -> FileFacts:
    return file_facts(stating("JPEG", exif(times, gps, changed), xmp), keeps_places=True)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", PILLOW)
def test_every_format_states_time_and_place_in_exif(kind, order):
    data = stating(kind, usual(order))
    assert file_facts(data, True) == FileFacts(kind, TAKEN, 120, PLACE, True)
    assert file_facts(memoryview(data), False) == FileFacts(kind, TAKEN, 120, None, True)


@pytest.mark.parametrize("kind", PILLOW)
def test_and_in_xmp(kind):
    packet = xmp(
        xmp_CreateDate="2023-07-14T18:03:22-03:30",
        exif_GPSLatitude="51,28,40.08N",
        exif_GPSLongitude="0,0.0885W",
    )
    data = stating(kind, xmp=packet)
    assert file_facts(data, True) == FileFacts(kind, TAKEN, -210, PLACE, True)
    assert file_facts(data, False) == FileFacts(kind, TAKEN, -210, None, True)


@pytest.mark.parametrize("kind", PILLOW)
def test_without_metadata_only_the_format_is_known(kind):
    assert file_facts(stating(kind), True) == FileFacts(kind, is_complete=True)


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_gif_and_bmp_state_their_format(kind):
    assert file_facts(picture(kind)[:40], True) == FileFacts(kind, is_complete=True)


def test_another_file_is_no_photo():
    with pytest.raises(UnreadablePhoto, match="text"):
        file_facts(b"hello", True)


ALL_TIMES = {0x9003: ORIGINAL, 0x9004: DIGITIZED}


@pytest.mark.parametrize(
    ("times", "changed", "properties", "taken"),
    [
        (ALL_TIMES, CHANGED, {"exif_DateTimeOriginal": "2004-01-01T00:00:00"}, YEAR_2001),
        ({0x9004: DIGITIZED}, CHANGED, {"exif_DateTimeOriginal": "2004-01-01"}, YEAR_2004),
        ({0x9004: DIGITIZED}, CHANGED, {"photoshop_DateCreated": "2004-01-01"}, YEAR_2004),
        ({0x9004: DIGITIZED}, CHANGED, {"xmp_CreateDate": "2004-01-01T00:00"}, YEAR_2002),
        ({0x9003: "", 0x9004: DIGITIZED}, CHANGED, {}, YEAR_2002),
        ({}, CHANGED, {"xmp_CreateDate": "2004-01-01T00:00"}, YEAR_2004),
        ({}, CHANGED, {"xmp_ModifyDate": "2004-01-01T00:00"}, YEAR_2003),
        ({}, CHANGED, {}, YEAR_2003),
    ],
)
def test_the_time_of_the_picture_comes_before_those_of_a_scan_and_an_edit(
    times, changed, properties, taken
):
    assert facts_of(times, changed=changed, xmp=xmp(**properties)).taken == taken


@pytest.mark.parametrize(
    ("text", "seconds", "offset"),
    [
        ("2023:07:14 18:03:22", TAKEN, None),
        ("2023-07-14T18:03:22", TAKEN, None),
        ("2023/07/14 18:03:22.75", TAKEN, None),
        ("2023:07:14 18:03:22Z", TAKEN, 0),
        ("2023:07:14 18:03:22+05:45", TAKEN, 345),
        ("2023:07:14 18:03", TAKEN - 22, None),
        ("2023:07:14   :  :  ", 1_689_292_800, None),
        ("1826:01:01 00:00:00", -4_544_208_000, None),
        ("1969:12:31 23:59:59", -1, None),
    ],
)
def test_dates_as_programs_write_them(text, seconds, offset):
    facts = facts_of({0x9003: text})
    assert (facts.taken, facts.offset) == (seconds, offset)


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "1825:12:31 23:59:59",
        f"{time.gmtime().tm_year + 2}:01:01 00:00:00",
        "2023:02:30 12:00:00",
        "2023:07:14 24:00:00",
        "2023:07:14 12:60:00",
        "2023:07",
        "2023",
        "yesterday",
        "12023:07:14 18:03:22",
        "2023:07:14 06:03:22 PM",
        "\uff12\uff10\uff12\uff13:07:14 18:03:22",
    ],
)
def test_an_impossible_date_stays_unknown(text):
    assert (
        facts_of({0x9003: text.encode()})
        == facts_of(xmp=xmp(xmp_CreateDate=text))
        == FileFacts("JPEG", is_complete=True)
    )


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        *(("+02:00", 120), ("-0330", -210), ("+05", 300), ("Z", 0), ("+14:00", 840)),
        *(("   :  ", None), ("+15:00", None), ("-12:30", None), ("+01:75", None), ("CET", None)),
    ],
)
def test_offsets(zone, offset):
    assert facts_of({0x9003: "2023:07:14 18:03:22", 0x9011: zone}).offset == offset


def test_xmp_of_the_same_time_gives_the_offset():
    times = {0x9003: "2023:07:14 18:03:22"}
    same, other = "2023-07-14T18:03:22+09:00", "2023-07-14T18:03:23+09:00"
    assert facts_of(times, xmp=xmp(photoshop_DateCreated=same)).offset == 540
    assert facts_of(times, xmp=xmp(photoshop_DateCreated=other)).offset is None


@pytest.mark.parametrize(
    ("day", "clock", "offset"),
    [
        ("2023:07:14", (16, 3, 20), 120),
        ("2023:07:14", (12, 18, 50), 345),
        ("2023:07:15", (4, 3, 22), -600),
        ("2023:07:14", (16, 10, 0), None),  # a fix some minutes old
        ("2023:07:12", (16, 3, 22), None),
        ("2023:07:14", (25, 3, 22), None),
        ("", (16, 3, 22), None),
    ],
)
def test_the_clock_of_gps_gives_the_offset(day, clock, offset):
    gps = {29: day, 7: tuple(map(float, clock))}
    facts = facts_of({0x9003: "2023:07:14 18:03:22"}, gps)
    assert (facts.taken, facts.offset) == (TAKEN, offset)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({1: "S", 3: "E"}, (-51.4778, 0.001475)),
        ({1: "n", 3: "w"}, (51.4778, -0.001475)),
        ({2: (51.4778,), 4: (0.001475,)}, (51.4778, -0.001475)),
        ({2: (51.0, 28.668), 4: (0.0, 0.0885)}, (51.4778, -0.001475)),
        ({1: ""}, None),
        ({1: "E"}, None),
        ({3: "N"}, None),
        ({2: (90.0, 0.0, 1.0)}, None),
        ({4: (180.0, 1.0, 0.0)}, None),
        ({2: (51.0, 61.0, 0.0)}, None),
        ({2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}, None),
        ({2: ()}, None),
    ],
)
def test_places(change, place):
    found = facts_of({}, {**GREENWICH, **change}).place
    assert found == (None if place is None else pytest.approx(place, abs=1e-6))


def test_a_place_with_a_zero_denominator_stays_unknown():
    data = stating("JPEG", exif({}, GREENWICH))
    assert data.count(struct.pack("<II", 51, 1)) == 1
    for broken in ((51, 0), (0, 0), (2**32 - 51, 1)):
        changed = data.replace(struct.pack("<II", 51, 1), struct.pack("<II", *broken))
        assert file_facts(changed, True).place is None


@pytest.mark.parametrize("latitude", ["51,28.668", "91,0.0N", "51,61.0N", "51.5N", "1,0.0E", "N"])
def test_damaged_places_in_xmp_stay_unknown(latitude):
    packet = xmp(exif_GPSLatitude=latitude, exif_GPSLongitude="0,0.0885W")
    assert facts_of(xmp=packet).place is None


def test_xmp_may_hold_elements_and_be_blank():
    packet = b"""<exif:DateTimeOriginal> </exif:DateTimeOriginal>
        <photoshop:DateCreated>2023-07-14T18:03:22Z</photoshop:DateCreated>"""
    facts = facts_of(xmp=packet)
    assert (facts.taken, facts.offset) == (TAKEN, 0)


def test_jpeg_metadata_may_follow_other_segments_and_junk():
    data = stating("JPEG", usual(), xmp(xmp_CreateDate="2001-01-01"))
    others = segment(0xED, b"Photoshop 3.0\0" + b"\xff" * 200) + segment(0xE1, b"other")
    assert file_facts(data[:2] + others + b"junk\xff\xff" + data[2:], True).taken == TAKEN


@pytest.mark.parametrize(
    "text", ["Fri, 14 Jul 2023 18:03:22 +0200", "2023-07-14T18:03:22+02:00", "14 Jul 23 18:03:22"]
)
@pytest.mark.parametrize("add", ["add_text", "add_itxt"])
def test_png_has_a_creation_time(add, text):
    info = PngImagePlugin.PngInfo()
    getattr(info, add)("Creation Time", text)
    facts = file_facts(encoded(Image.new("RGB", (9, 9)), pnginfo=info), True)
    assert facts.taken == TAKEN
    assert facts.offset == (120 if text.endswith("00") else None)


@pytest.mark.parametrize("text", ["", "recently", "Fri, 32 Jul 2023 18:03:22 +0200", "2" * 99])
def test_png_with_a_damaged_creation_time(text):
    info = PngImagePlugin.PngInfo()
    info.add_text("Creation Time", text)
    facts = file_facts(encoded(Image.new("RGB", (9, 9)), pnginfo=info), True)
    assert facts == FileFacts("PNG", is_complete=True)


def png_with(part: bytes, before: bytes) -> bytes:
    data = stating("PNG")
    at = data.index(before) - 4
    return data[:at] + part + data[at:]


@pytest.mark.parametrize("keyword", [b"Raw profile type exif", b"Raw profile type APP1"])
def test_png_may_hold_the_raw_profile_of_imagemagick(keyword):
    profile = usual().tobytes()
    digits = profile.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    text = zlib.compress(f"\nexif\n{len(profile):8}\n{lines}\n".encode())
    data = png_with(chunk(b"zTXt", keyword + b"\0\0" + text), b"IDAT")
    assert file_facts(data, True) == FileFacts("PNG", TAKEN, 120, PLACE, True)


def test_png_metadata_may_follow_the_pixels():
    data = png_with(chunk(b"eXIf", usual().tobytes()[6:]), b"IEND")
    assert file_facts(data, True) == FileFacts("PNG", TAKEN, 120, PLACE, True)


def test_a_png_chunk_with_a_wrong_checksum_counts_as_absent():
    data = png_with(chunk(b"eXIf", usual().tobytes()[6:], crc=1), b"IDAT")
    assert file_facts(data, True) == FileFacts("PNG", is_complete=True)


def test_damaged_exif_hides_no_xmp():
    packet = xmp(xmp_CreateDate="2023-07-14T18:03:22")
    data = stating("JPEG", usual(), packet).replace(b"Exif\0\0II*\0", b"Exif\0\0II*\1")
    assert file_facts(data, True).taken == TAKEN


def test_a_head_suffices_once_the_metadata_is_in_it():
    data = stating("JPEG")
    scan = data.index(b"\xff\xda")
    assert not file_facts(data[:scan], True).is_complete
    assert file_facts(data[: scan + 2], True) == FileFacts("JPEG", is_complete=True)
    # nothing else is wanted from this one
    data = stating("JPEG", usual())
    end = data.index(b"\xff\xdb")
    assert file_facts(data[:end], True) == FileFacts("JPEG", TAKEN, 120, PLACE, True)
    assert not file_facts(jpeg()[:20], True).is_complete


FILES = {
    **{f"{kind} exif": stating(kind, usual()) for kind in PILLOW},
    **{f"{kind} xmp": stating(kind, xmp=xmp(xmp_CreateDate="2001-01-01")) for kind in PILLOW},
    **{kind: stating(kind) for kind in PILLOW},
    "PNG exif behind": png_with(chunk(b"eXIf", usual().tobytes()[6:]), b"IEND"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keeps_places", [True, False])
def test_complete_facts_of_a_head_are_those_of_the_file(name, keeps_places):
    data = FILES[name]
    whole = file_facts(data, keeps_places)
    assert whole.is_complete
    for end in range(40, len(data)):
        head = file_facts(data[:end], keeps_places)
        assert not head.is_complete or head == whole, end


@pytest.mark.parametrize("kind", ["WebP", "TIFF", "AVIF", "HEIC"])
def test_a_head_without_its_metadata_is_incomplete(kind):
    data = FILES[f"{kind} exif"]
    at = data.index(b"2023:07:14 18:03:22")
    assert not file_facts(data[:at], True).is_complete
