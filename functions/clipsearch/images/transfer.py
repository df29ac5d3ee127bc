"""Converts samples to light and to sRGB, with the curves and primaries of ITU-T H.273.

Light is relative: 1 is the reference white, which is 203 cd/m² in HDR (ITU-R BT.2408, 2.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

PQ, HLG = 16, 18
HDR = {PQ, HLG}
REFERENCE_WHITE = 203.0  # cd/m²
HLG_PEAK = 1000.0  # cd/m², ITU-R BT.2100, table 5

LINEAR = 8
GAMMAS = {4: 2.2, 5: 2.8, LINEAR: 1.0}
SRGB_GAMMA = 2.2
# Programs that mean sRGB write a gamma this close to sRGB's (relative; libpng's threshold).
GAMMA_TOLERANCE = 0.05

# Light above this part of the reference white is compressed to make room for highlights.
KNEE = 0.5
# Quantile that counts as the peak, so that single pixels do not.
BRIGHTEST_SHARE = 0.999

HDR_NODES, NODES = 65, 33

# (x, y) of white, red, green and blue.
Chromaticities = tuple[tuple[float, float], ...]
_D65 = (0.3127, 0.3290)
BT709: Chromaticities = (_D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060))  # sRGB's
# By code point (H.273, table 2): BT.2020 and Display P3.
PRIMARIES: dict[int, Chromaticities] = {
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
SAME_CHROMATICITY = 0.01


def to_srgb_curve(curve: int, gamma: float | None) -> list[int] | None:
    """Return 256 sRGB levels, one for each level of a channel; None if nearly unchanged."""
    import numpy as np

    exponent = GAMMAS.get(curve) if curve != 2 else gamma
    if exponent is None or abs(exponent / SRGB_GAMMA - 1) <= GAMMA_TOLERANCE:
        return None
    levels = srgb_encoded((np.arange(256) / 255) ** exponent)
    return [int(level) for level in np.rint(levels * 255)]


def primaries_table(primaries: Chromaticities | None) -> Any:
    """Return (n, n, n, 3): sRGB samples for samples with other primaries and sRGB's curve.

    Returns None if the primaries are sRGB's or unspecified.
    """
    matrix = _to_bt709(primaries)
    if matrix is None:
        return None
    light = srgb_decoded(_grid(NODES))
    return srgb_encoded(light @ matrix.T).astype("float32")


def hdr_table(curve: int, primaries: Chromaticities | None, rows: Iterable[Image.Image]) -> Any:
    """Return (n, n, n, 3): sRGB samples for PQ or HLG, tone-mapped to the peak of `rows`."""
    import numpy as np

    brightest = [hdr_light(np.asarray(row.convert("RGB")) / 255, curve).max(-1) for row in rows]
    peak = float(np.quantile(np.concatenate(brightest, axis=None), BRIGHTEST_SHARE))
    light = tone_mapped(hdr_light(_grid(HDR_NODES), curve), peak)
    matrix = _to_bt709(primaries)
    if matrix is not None:
        light = light @ matrix.T
    return srgb_encoded(light).astype("float32")


def hdr_light(samples: Any, curve: int) -> Any:
    """Convert (…, 3) samples in [0, 1] to light, (…, 3). ITU-R BT.2100-2, tables 4 and 5."""
    import numpy as np

    if curve == PQ:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = samples ** (1 / m2)
        return (
            10_000 / REFERENCE_WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        )
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(samples <= 0.5, samples**2 / 3, (np.exp((samples - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return HLG_PEAK / REFERENCE_WHITE * np.maximum(luminance, 1e-9)[..., None] ** 0.2 * scene


def tone_mapped(light: Any, peak: float) -> Any:
    """Map light up to `peak` to at most 1.

    Light below KNEE is unchanged. The rest is compressed with Reinhard's curve (2002, equation 4).
    If `peak` is at most 1, all light is unchanged.
    """
    import numpy as np

    if peak <= 1:
        return light
    brightest = np.maximum(light.max(-1, keepdims=True), 1e-9)
    above = (np.maximum(brightest, KNEE) - KNEE) / (1 - KNEE)
    most = (peak - KNEE) / (1 - KNEE)
    mapped = KNEE + (1 - KNEE) * above * (1 + above / most**2) / (1 + above)
    return light * np.where(brightest > KNEE, mapped / brightest, 1)


def srgb_encoded(light: Any) -> Any:
    """Encode light as sRGB (IEC 61966-2-1). Light outside of [0, 1] is clipped."""
    import numpy as np

    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def srgb_decoded(samples: Any) -> Any:
    import numpy as np

    return np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)


def _grid(nodes: int) -> Any:
    """Return (n, n, n, 3): all RGB samples, red fastest, the order of Pillow's tables."""
    import numpy as np

    steps = np.linspace(0, 1, nodes)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red, green, blue], axis=-1)


def _to_bt709(primaries: Chromaticities | None) -> Any:
    """Return (3, 3), from linear RGB of these primaries to BT.709; None if nearly equal.

    Another white point is adapted with Bradford's matrix (ICC.1:2022, annex E).
    """
    import numpy as np

    if primaries is None or np.abs(np.subtract(primaries, BT709)).max() <= SAME_CHROMATICITY:
        return None
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    whites = bradford @ _xyz(BT709[0]) / (bradford @ _xyz(primaries[0]))
    adapted = np.linalg.inv(bradford) @ (whites[:, None] * bradford)
    return np.linalg.inv(_to_xyz(BT709)) @ adapted @ _to_xyz(primaries)


def _to_xyz(primaries: Chromaticities) -> Any:
    """Return (3, 3), linear RGB to XYZ (SMPTE RP 177).

    Raises numpy's LinAlgError if the primaries span no triangle.
    """
    import numpy as np

    columns = np.array([_xyz(point) for point in primaries[1:]]).T
    return columns * np.linalg.solve(columns, _xyz(primaries[0]))


def _xyz(point: tuple[float, float]) -> Any:
    import numpy as np

    x, y = point
    return np.array([x / y, 1, (1 - x - y) / y])
