"""ICC profiles that no program ships."""

from __future__ import annotations

import struct

from PIL import ImageCms


def swapped_profile() -> bytes:
    """sRGB with red's primary for blue, and the other way round."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def grey_profile(gamma: float = 1.0) -> bytes:
    """ICC.1:2022: grey, with light proportional to the samples, or to a power of them."""
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, int(gamma * 256), 0)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(79)
    tags, at = [(b"desc", text), (b"wtpt", white), (b"kTRC", curve)], 128 + 4 + 3 * 12
    table, body = struct.pack(">I", 3), b""
    for name, content in tags:
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s", at + len(body), bytes(4), 0x02100000, b"mntr", b"GRAY", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body
