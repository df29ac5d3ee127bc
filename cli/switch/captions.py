"""Both models on a person's captions: how often each finds the photo of a caption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cli.common.errors import RunError
from cli.evaluate.asking import ask
from cli.evaluate.captions import Captioned
from cli.evaluate.library import Library
from cli.evaluate.measure import KS, rows_of
from cli.evaluate.recall import Ranks, recall

K = 5  # the gate looks at R@5
LEAST = 0.02  # a smaller loss of R@5 is no reason to refuse
SURE = 2.0  # standard errors


@dataclass(frozen=True)
class Comparison:
    """The ranks (m,) of the right photo for m captions: of the `old` model and of the `new` one.

    `photo` (m,): which photo each caption is of.
    """

    old: Ranks
    new: Ranks
    photo: npt.NDArray[np.int64]

    @property
    def loss(self) -> float:
        """How much lower R@5 is with the new model."""
        return recall(self.old, K) - recall(self.new, K)

    @property
    def error(self) -> float:
        """The standard error of `loss`. Captions of one photo are not independent: they count as
        one observation."""
        lost = (self.old < K).astype(float) - (self.new < K)
        of_photos = np.bincount(self.photo, lost - self.loss)
        return float(np.sqrt((of_photos**2).sum()) / len(lost))

    @property
    def is_clearly_worse(self) -> bool:
        return self.loss > LEAST and self.loss > SURE * self.error

    def lines(self, old: str, new: str) -> Iterator[str]:
        """A table for the terminal; `old` and `new` are the models' names."""
        width = max(len(old), len(new)) + 2
        photos = len(np.unique(self.photo))
        yield f"{len(self.photo):,} captions of {photos:,} photos, text to image through search:"
        yield " " * width + "".join(f"{f'R@{k}':>8}" for k in KS)
        for name, ranks in ((old, self.old), (new, self.new)):
            yield f"{name:{width}}" + "".join(f"{recall(ranks, k):8.3f}" for k in KS)


def compare_captions(old: Library, new: Library, captioned: Captioned) -> Comparison:
    """Photos that are not indexed count as not found. RunError if no photo is indexed."""
    ranks = []
    for library in (old, new):
        rows = rows_of(captioned, library)
        if (rows < 0).all():
            raise RunError(
                f"none of the {len(rows):,} captioned photos is in the index of model "
                f"{library.snapshot.space}, where the names are like {library.names[0]!r} and not "
                f"like {captioned.names[0]!r}; --prefix goes before them"
            )
        asked = ask(library, captioned.texts, library.names)
        ranks.append(asked.ranks(rows[captioned.photo]))
    return Comparison(ranks[0], ranks[1], captioned.photo)
