"""A picture as part of a URL: its vector, so that a search by picture can be a link."""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.engine.errors import BadQuery

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

INCOMPLETE = "This picture link is incomplete. Choose the picture again."
OTHER_MODEL = "This picture link belongs to another model. Choose the picture again."

_SPACE_BYTES = 6
# Little-endian float16: changes a score by 1e-5 and halves the length of the URL.
_NUMBER = "<f2"


@dataclass(frozen=True)
class Picture:
    """A vector from a URL: `numbers` are its D float16 values in `space`."""

    space: str
    numbers: bytes

    def text(self) -> str:
        """Encode in characters that need no escaping in a URL."""
        data = bytes.fromhex(self.space) + self.numbers
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def vector(self, space: str, dim: int) -> "Vector":
        """Returns (D,) float32 of length 1.

        Raises BadQuery if the vector belongs to another space or is invalid.
        """
        import numpy as np

        if self.space != space:
            raise BadQuery(OTHER_MODEL)
        if len(self.numbers) != 2 * dim:
            raise BadQuery(INCOMPLETE)
        vector = np.frombuffer(self.numbers, _NUMBER).astype(np.float32)
        length = float(np.linalg.norm(vector))
        if not 0.5 < length < 2:  # nan, too
            raise BadQuery(INCOMPLETE)
        return vector / np.float32(length)


def as_picture(space: str, vector: "Vector") -> Picture:
    """Make `vector` a Picture for a URL: 1.4 KB for 512 numbers."""
    return Picture(space, vector.astype(_NUMBER).tobytes())


def decode_picture(text: str) -> Picture:
    """The inverse of `text`, checked as far as possible without the model. Raises BadQuery."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise BadQuery(INCOMPLETE) from error
    if len(data) <= _SPACE_BYTES or len(data) % 2:
        raise BadQuery(INCOMPLETE)
    return Picture(data[:_SPACE_BYTES].hex(), data[_SPACE_BYTES:])
