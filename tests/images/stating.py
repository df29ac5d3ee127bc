"""Files of each format that state when and where a photo was taken."""

from __future__ import annotations

from typing import Any

import pillow_heif
from PIL import Image, PngImagePlugin, TiffImagePlugin

from tests.support.pictures import encoded

pillow_heif.register_heif_opener()  # for writing

TAKEN = 1_689_357_802  # 2023-07-14 18:03:22 on the photographer's clock
GREENWICH = {1: "N", 2: (51.0, 28.0, 40.08), 3: "W", 4: (0.0, 0.0, 5.31)}

# clipsearch's name -> Pillow's name
PILLOW = {"JPEG": "JPEG", "PNG": "PNG", "WebP": "WEBP", "TIFF": "TIFF", "AVIF": "AVIF"}
PILLOW["HEIC"] = "HEIF"

DIRECTORIES = 0x8769, 0x8825  # EXIF, GPS
XMP_TAG = 700


def exif(
    times: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
    changed: str = "",
    order: str = "<",
) -> Image.Exif:
    """`times`: tags of the EXIF directory. `changed`: DateTime, of the main directory."""
    found = Image.Exif()
    found.endian = order
    found[0x010F] = "A camera"
    if changed:
        found[0x0132] = changed
    found.get_ifd(0x8769).update(times or {})
    if gps:
        found.get_ifd(0x8825).update(gps)
    return found


def usual(order: str = "<") -> Image.Exif:
    times = {0x9003: "2023:07:14 18:03:22", 0x9011: "+02:00", 0x9004: "2023:07:15 01:00:00"}
    return exif(times, GREENWICH, "2024:01:01 00:00:00", order)


def xmp(**properties: str) -> bytes:
    """Each property as an attribute; `_` in a name stands for ":"."""
    attributes = " ".join(f'{name.replace("_", ":")}="{v}"' for name, v in properties.items())
    return f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" {attributes}/></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def stating(kind: str, exif: Image.Exif | None = None, xmp: bytes | None = None) -> bytes:
    """A small file of format `kind` with this metadata."""
    image = Image.effect_mandelbrot((64, 48), (-3, -2.5, 2, 2.5), 100).convert("RGB")
    if kind == "TIFF":
        return _tiff(image, exif, xmp)
    options: dict[str, Any] = {}
    if exif is not None:
        options["exif"] = exif.tobytes()
    if xmp is not None and kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp is not None:
        options["xmp"] = xmp
    return encoded(image, PILLOW[kind], **options)


def _tiff(image: Image.Image, exif: Image.Exif | None, xmp: bytes | None) -> bytes:
    """The file itself is an EXIF structure, in the byte order of the picture's mode."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in dict(exif or {}).items():
        tags[tag] = value
    for tag in DIRECTORIES:
        if exif is not None and exif.get_ifd(tag):
            tags[tag] = dict(exif.get_ifd(tag))
    if xmp is not None:
        tags.tagtype[XMP_TAG] = 1  # bytes
        tags[XMP_TAG] = xmp
    mode = "I;16B" if exif is not None and exif.endian == ">" else "RGB"
    return encoded(image if mode == "RGB" else Image.new(mode, image.size), "TIFF", tiffinfo=tags)
