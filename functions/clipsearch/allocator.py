"""Returns memory to the system while much is loaded."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# Of glibc's malloc.h. Any setting ends the automatic one, which starts with 128 KB and grows to
# LARGEST with the first freed arrays.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
SMALL, LARGEST = 256 << 10, 32 << 20


@contextmanager
def large_blocks_returned() -> Iterator[None]:
    """Meanwhile, memory of SMALL bytes or more goes back to the system when it is freed.

    Loading a million photos frees 200 MB of arrays that nobody needs again, and malloc would keep
    them. Afterwards it keeps arrays of up to LARGEST again: filters need some for each search, and
    take three times as long with new ones. Does nothing without glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        yield
        return
    mallopt(MMAP_THRESHOLD, SMALL)
    try:
        yield
    finally:
        mallopt(MMAP_THRESHOLD, LARGEST)
        mallopt(TRIM_THRESHOLD, 2 * LARGEST)
