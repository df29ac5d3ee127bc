"""A picture as part of an address: its vector, so that a search by picture can be a link."""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.engine.errors import BadQuery, quoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

_SPACE_BYTES = 6
# Little-endian float16: it moves a score by 1e-5, and an address has half the length.
_NUMBER = "<f2"


@dataclass(frozen=True)
class Picture:
    """What an address says: `numbers` are D float16 of the vector in `space`."""

    space: str
    numbers: bytes

    def text(self) -> str:
        """In characters that need no escaping in an address."""
        data = bytes.fromhex(self.space) + self.numbers
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def vector(self, space: str, dim: int) -> "Vector":
        """(D,) float32 of length 1. Raises BadQuery if it is of another space, or is none."""
        import numpy as np

        if self.space != space:
            raise BadQuery(
                "the link to this picture was made by another model; give the picture again"
            )
        if len(self.numbers) != 2 * dim:
            raise BadQuery(f"picture has {len(self.numbers) // 2} numbers, not {dim}")
        vector = np.frombuffer(self.numbers, _NUMBER).astype(np.float32)
        length = float(np.linalg.norm(vector))
        if not 0.5 < length < 2:  # nan, too
            raise BadQuery("picture is not one that /embed gave")
        return vector / np.float32(length)


def as_picture(space: str, vector: "Vector") -> Picture:
    """`vector` for an address; 1.4 KB for 512 numbers."""
    return Picture(space, vector.astype(_NUMBER).tobytes())


def decode_picture(text: str) -> Picture:
    """The inverse of `text`, as far as it is possible without the model. Raises BadQuery."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _bad(text) from error
    if len(data) <= _SPACE_BYTES or len(data) % 2:
        raise _bad(text)
    return Picture(data[:_SPACE_BYTES].hex(), data[_SPACE_BYTES:])


def _bad(text: str) -> BadQuery:
    return BadQuery(f"picture {quoted(text)} is not one that /embed gave")
