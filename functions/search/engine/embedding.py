"""Encodes words and pictures as vectors, and scores labels for a picture.

Imported on the first search, not with main.py.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from clipsearch.errors import UnreadablePhoto
from clipsearch.model.bundle import Tower
from search.engine.model import Embedding, Model
from search.engine.query import Term
from search.engine.timing import Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def embedded(term: Term, model: Model, timing: Timing) -> Embedding:
    """Encode a text or a picture.

    Raises BadQuery, UnreadablePhoto, DamagedObject, StorageError.
    """
    if term.text is not None:
        return _of_words(term.text, model, timing)
    if term.picture is not None:
        return Embedding(term.picture.vector(model.space, model.encoder.dim), False)
    assert term.image is not None
    return Embedding(_of_images([term.image], model, timing)[0], False)


def classified(
    images: list[bytes], labels: list[str], model: Model, timing: Timing
) -> tuple[list[list[dict[str, Any]]], bool]:
    """Return (one list of labels for each picture, whether a label was truncated).

    Labels have logit and probability, the most probable first. The logits are those of
    Encoder.logits, but labels in the cache are not encoded again.
    """
    import numpy as np

    pictures = _of_images(images, model, timing)
    texts = [_of_words(label, model, timing) for label in labels]
    vectors = np.stack([text.vector for text in texts]).astype(np.float64)
    encoder = model.encoder
    per_image = encoder.logit_scale * (pictures @ vectors.T) + encoder.logit_bias
    sigmoid = encoder.bundle.variant.sigmoid
    answer = [_ranked(labels, logits, sigmoid) for logits in per_image]
    return answer, any(text.truncated for text in texts)


def _ranked(
    labels: list[str], logits: "NDArray[np.float64]", sigmoid: bool
) -> list[dict[str, Any]]:
    import numpy as np

    probabilities = _sigmoid(logits) if sigmoid else _softmax(logits)
    return [
        {
            "label": labels[best],
            "logit": round(float(logits[best]), 4),
            "probability": round(float(probabilities[best]), 6),
        }
        for best in np.argsort(-logits, kind="stable").tolist()
    ]


def _softmax(logits: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    odds = np.exp(logits - logits.max())
    shares: NDArray[np.float64] = odds / odds.sum()
    return shares


def _sigmoid(logits: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    # 1 / (1 + exp(-x)), but exp overflows
    chances: NDArray[np.float64] = (1 + np.tanh(logits / 2)) / 2
    return chances


def _of_images(images: list[bytes], model: Model, timing: Timing) -> "NDArray[np.float32]":
    """Returns (N, D). Decodes one picture at a time to leave memory for other requests."""
    with _encoding("image", model, timing):
        squares = []
        for number, image in enumerate(images, 1):
            try:
                squares.append(model.encoder.square(image))
            except UnreadablePhoto as error:
                if len(images) == 1:
                    raise
                raise type(error)(f"image {number}: {error.reason}") from error
        return model.encoder.encode_image(squares)


def _of_words(words: str, model: Model, timing: Timing) -> Embedding:
    with _encoding("text", model, timing):
        return model.words(words)


def _encoding(tower: Tower, model: Model, timing: Timing) -> AbstractContextManager[None]:
    """Times the first use of a tower as "load": loading takes far longer than encoding."""
    return timing.phase("encode" if tower in model.encoder.loaded else "load")
