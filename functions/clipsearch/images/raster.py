"""Resizes decoded pixels, upright and in sRGB, one strip at a time.

A copy of a large picture would double the memory. So each strip is turned, converted and resized,
and only the resized strips are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    Box = tuple[int, int, int, int]
    Floats = tuple[float, float, float, float]

STRIP_PIXELS = 250_000
SUPPORT = 3  # pixels that the widest filter, Lanczos, reads to each side; times the scale

# EXIF orientation -> (swap x and y, then mirror x, mirror y)
_TURNS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


@dataclass(frozen=True, slots=True)
class Raster:
    """`crop(box)` returns a part of the stored pixels; `finish` converts it to sRGB (mode RGB).

    `stored`: (width, height) of the stored pixels. `covered`: the size of the picture in them. The
    two differ if libjpeg scaled by a number that does not divide the size: then the last pixel of
    a row or column covers only a part.
    """

    crop: Callable[[Box], Image.Image]
    finish: Callable[[Image.Image], Image.Image]
    stored: tuple[int, int]
    covered: tuple[float, float]
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, upright."""
        return self.stored[::-1] if _TURNS[self.orientation][0] else self.stored

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The covered part of `size`: left, top, right, bottom."""
        swap, flip_x, flip_y = _TURNS[self.orientation]
        across, down = self.covered[::-1] if swap else self.covered
        width, height = self.size
        left = width - across if flip_x else 0.0
        top = height - down if flip_y else 0.0
        return left, top, left + across, top + down

    def part(self, box: Box) -> Image.Image:
        """Return a part of the upright picture, RGB."""
        from PIL import Image

        swap, flip_x, flip_y = _TURNS[self.orientation]
        left, top, right, bottom = box
        width, height = self.size
        if flip_x:
            left, right = width - right, width - left
        if flip_y:
            top, bottom = height - bottom, height - top
        part = self.crop((top, left, bottom, right) if swap else (left, top, right, bottom))
        turn = Image.Transpose
        if swap:
            part = part.transpose(turn.TRANSPOSE)
        if flip_x:
            part = part.transpose(turn.FLIP_LEFT_RIGHT)
        if flip_y:
            part = part.transpose(turn.FLIP_TOP_BOTTOM)
        return self.finish(part)


@dataclass(frozen=True, slots=True)
class Target:
    """A size in pixels and a resize filter.

    `gap`: large pictures are first averaged down to `gap` times the size. That is faster, and the
    eye sees no difference. None: never. `crop`: the part of the result that is returned, only
    without a gap. None: all of it.
    """

    width: int
    height: int
    resample: Image.Resampling
    gap: float | None = None
    crop: Box | None = None


def resized(raster: Raster, targets: Sequence[Target]) -> list[Image.Image]:
    """Resize the picture to each of `targets`, RGB."""
    width, height = raster.size
    by_columns = any(_columns_first(raster, target) for target in targets)
    shrinking: list[_Exact | _Reduced] = [
        _Exact(raster, target, by_columns)
        if _factor(raster.size, target) == 1
        else _Reduced(raster, target)
        for target in targets
    ]
    step = lcm(*(one.step for one in shrinking))
    length, across = (width, height) if by_columns else (height, width)
    thick = max(1, STRIP_PIXELS // across // step) * step
    for at in range(0, length, thick):
        end = min(at + thick, length)
        strip = raster.part((at, 0, end, height) if by_columns else (0, at, width, end))
        for one in shrinking:
            one.add(strip, (at, 0) if by_columns else (0, at))
    return [one.result() for one in shrinking]


def resizing_memory(width: int, height: int, target: Target) -> int:
    """Bytes that `resized` takes for one target with a gap, beside the decoded pixels."""
    step = _factor((width, height), target)
    between = target.width * height if step == 1 else ceil(width / step) * ceil(height / step)
    return 4 * (between + target.width * target.height)  # Pillow keeps RGB in 4 bytes


def _columns_first(raster: Raster, target: Target) -> bool:
    """Whether Pillow would resize the height first: it does if that shrinks by far more pixels."""
    (width, height), columns = raster.size, target.gap is None
    shrinks_by = height - target.height
    return columns and shrinks_by > 0 and shrinks_by > 2 * (width - target.width)


class _Exact:
    """Gives the same bits as Pillow's resize of the whole picture, then its crop.

    Pillow resizes each row (or column) by itself, rounds, and then resizes the other direction.
    What the crop leaves out is skipped where that changes no bit.
    """

    step = 1

    def __init__(self, raster: Raster, target: Target, by_columns: bool) -> None:
        from PIL import Image

        self._box, self._target, self._by_columns = raster.box, target, by_columns
        self._crop = target.crop or (0, 0, target.width, target.height)
        width, height = raster.size
        size = (width, target.height) if by_columns else (target.width, height)
        self._half = Image.new("RGB", size)
        axis = 0 if by_columns else 1
        begin, end = self._box[axis], self._box[axis + 2]
        scale = (end - begin) / (target.width, target.height)[axis]
        reach = SUPPORT * max(scale, 1.0) + 1
        self._first = floor(begin + self._crop[axis] * scale - reach)
        self._last = ceil(begin + self._crop[axis + 2] * scale + reach)

    def add(self, strip: Image.Image, at: tuple[int, int]) -> None:
        left, upper, right, lower = self._box
        x, y = at
        if self._by_columns:
            first, last = max(self._first, x), min(self._last, x + strip.width)
            part: Box = (first - x, 0, last - x, strip.height)
            size, at = (last - first, self._target.height), (first, y)
            box: Floats = (0, upper, last - first, lower)
        else:
            first, last = max(self._first, y), min(self._last, y + strip.height)
            part = (0, first - y, strip.width, last - y)
            size, at = (self._target.width, last - first), (x, first)
            box = (left, 0, right, last - first)
        if first < last:
            needed = strip if part == (0, 0, *strip.size) else strip.crop(part)
            self._half.paste(needed.resize(size, self._target.resample, box), at)

    def result(self) -> Image.Image:
        left, upper, right, lower = self._box
        width, height = self._target.width, self._target.height
        x, y, end_x, end_y = self._crop
        if self._by_columns:
            half, size = self._half.crop((0, y, self._half.width, end_y)), (width, end_y - y)
            box: Floats = (left, 0, right, end_y - y)
            return half.resize(size, self._target.resample, box).crop((x, 0, end_x, end_y - y))
        half, size = self._half.crop((x, 0, end_x, self._half.height)), (end_x - x, height)
        box = (0, upper, end_x - x, lower)
        return half.resize(size, self._target.resample, box).crop((0, y, end_x - x, end_y))


class _Reduced:
    """Averages blocks of `step` x `step` pixels, then resizes."""

    def __init__(self, raster: Raster, target: Target) -> None:
        from PIL import Image

        self.step = _factor(raster.size, target)
        self._box, self._target = raster.box, target
        width, height = raster.size
        self._small = Image.new("RGB", (ceil(width / self.step), ceil(height / self.step)))

    def add(self, strip: Image.Image, at: tuple[int, int]) -> None:
        x, y = at
        self._small.paste(strip.reduce(self.step), (x // self.step, y // self.step))

    def result(self) -> Image.Image:
        left, upper, right, lower = (edge / self.step for edge in self._box)
        box = (left, upper, min(right, self._small.width), min(lower, self._small.height))
        size = (self._target.width, self._target.height)
        return self._small.resize(size, self._target.resample, box)


def _factor(size: tuple[int, int], target: Target) -> int:
    if target.gap is None:
        return 1
    width, height = size
    return max(1, int(min(width / target.width, height / target.height) / target.gap))
