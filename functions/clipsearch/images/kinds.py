"""Detects the format of a file by its first bytes."""

from __future__ import annotations

from clipsearch.errors import UnreadablePhoto

FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
FIRST_BYTES = 256  # enough to detect every format

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# Other files that people keep beside photos.
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (b"OggS", "an Ogg audio or video file"),
    (b"ID3", "an audio file (MP3)"),
    (b"\0\0\1\0", "an icon"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"IIRO", "camera raw (Olympus)"),
    (b"IIRS", "camera raw (Olympus)"),
    (b"IIU\0", "camera raw (Panasonic)"),
    (b"FUJIFILMCCD-RAW", "camera raw (Fujifilm)"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "XML, or an SVG drawing"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"\0\x05\x16\x07", "an AppleDouble file, which macOS writes beside a file"),
)
_MEDIA_BRANDS = {
    b"qt  ": "a video (QuickTime)",
    b"crx ": "camera raw (Canon)",
    b"M4A ": "an audio file",
}


def format_of(data: bytes) -> str:
    """Return one of FORMATS, by the first FIRST_BYTES bytes. Raises UnreadablePhoto."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIC_BRANDS:
        return "HEIC"
    if not data:
        raise UnreadablePhoto("the file is empty")
    raise UnreadablePhoto(
        f"not a picture of a supported format: {_other(data)}; supported: {', '.join(FORMATS)}"
    )


def _brands(data: bytes) -> set[bytes]:
    """Read the brands of an ISO media file: length, "ftyp", brand, version, compatible brands."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), FIRST_BYTES)
    return {data[8:12], *(data[i : i + 4] for i in range(16, end, 4))}


def _other(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return f"this is {_MEDIA_BRANDS.get(data[8:12], 'a video (MP4)')}"
    if data[:4] == b"RIFF":
        return f"this is {'a video (AVI)' if data[8:12] == b'AVI ' else 'an audio file (WAV)'}"
    for signature, name in _OTHERS:
        if data.startswith(signature):
            return f"this is {name}"
    if not any(data):
        return "it has only zeros"
    start = data[:FIRST_BYTES]
    is_text = all(byte >= 32 or byte in b"\t\n\r\f" for byte in start) and 127 not in start
    return "this is text" if is_text else "its format is unknown"
