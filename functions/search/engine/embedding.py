"""Words and pictures to vectors, and how well labels go with a picture.

Imported on the first search, not with main.py.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from clipsearch.model.bundle import Tower
from search.engine.model import Embedding, Model
from search.engine.query import Query
from search.engine.timing import Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


def embedded(query: Query, model: Model, timing: Timing) -> Embedding:
    """Of words, a picture or both. Words and a picture together: the normalised sum of the two
    unit vectors, each with the same weight. Raises BadQuery, UnreadablePhoto, DamagedObject,
    StorageError.
    """
    picture = _of_picture(query, model, timing)
    if query.words is None:
        assert picture is not None
        return Embedding(picture, False)
    text = _of_words(query.words, model, timing)
    if picture is None:
        return text
    import numpy as np

    total = picture + text.vector
    # opposite vectors have no direction between them; anything but a division by zero will do
    return Embedding(total / max(float(np.linalg.norm(total)), 1e-6), text.truncated)


def classified(
    image: bytes, labels: list[str], model: Model, timing: Timing
) -> tuple[list[dict[str, Any]], bool]:
    """(each label with its logit and its probability, most probable first; whether one was
    cut). As Encoder.logits, but labels that were asked before need no encoding."""
    import numpy as np

    picture = _of_image(image, model, timing)
    texts = [_of_words(label, model, timing) for label in labels]
    vectors = np.stack([text.vector for text in texts]).astype(np.float64)
    logits = model.encoder.logit_scale * (vectors @ picture)
    odds = np.exp(logits - logits.max())
    probabilities = odds / odds.sum()
    answer = [
        {
            "label": labels[best],
            "logit": round(float(logits[best]), 4),
            "probability": round(float(probabilities[best]), 6),
        }
        for best in np.argsort(-logits, kind="stable").tolist()
    ]
    return answer, any(text.truncated for text in texts)


def _of_picture(query: Query, model: Model, timing: Timing) -> "Vector | None":
    if query.picture is not None:
        return query.picture.vector(model.space, model.encoder.dim)
    return None if query.image is None else _of_image(query.image, model, timing)


def _of_image(image: bytes, model: Model, timing: Timing) -> "Vector":
    with _encoding("image", model, timing):
        photo = model.encoder.decode(image)
        vector: Vector = model.encoder.encode_image([photo.square])[0]
        return vector


def _of_words(words: str, model: Model, timing: Timing) -> Embedding:
    with _encoding("text", model, timing):
        return model.words(words)


def _encoding(tower: Tower, model: Model, timing: Timing) -> AbstractContextManager[None]:
    """The first use of a tower loads it, which takes far longer than the encoding."""
    return timing.phase("encode" if tower in model.encoder.loaded else "load")
