"""The order of searches and lists: by a key, then by name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipsearch.index.search.all_names import AllNames
from clipsearch.index.search.columns import Columns
from clipsearch.index.search.names import Rows

Keys = npt.NDArray[np.float64] | npt.NDArray[np.int64]
After = tuple[float, str] | tuple[int, str]


def first(keys: Keys, rows: Rows, names: AllNames, limit: int, after: After | None = None) -> Rows:
    """The places in `rows` (m,) of the first `limit`, in order of `keys` (m,) and of their names.

    `after`: key and name after which they begin. Takes time in proportion to m, also if all keys
    are equal.
    """
    places = np.arange(len(rows))
    if after is not None:
        follows = keys > after[0]
        same = np.flatnonzero(keys == after[0])
        follows[same] = names.behind(rows[same], after[1])
        places = places[follows]
    if len(places) > limit:
        kept = keys[places]
        last = np.partition(kept, limit - 1)[limit - 1]
        earlier, same = places[kept < last], places[kept == last]
        of_same = names.first(rows[same], limit - len(earlier))
        places = np.concatenate([earlier, same[of_same]])
    places = places[np.argsort(keys[places], kind="stable")]
    ordered = keys[places]
    same = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.append(False, same) | np.append(same, False))
    if len(tied):  # only their names are read
        texts = names.texts(rows[places[tied]])
        order = sorted(zip(ordered[tied].tolist(), texts, places[tied].tolist(), strict=True))
        places[tied] = [place for _, _, place in order]
    return places


def first_by_date(
    columns: Columns, rows: Rows, limit: int, after: tuple[int, str] | None, oldest: bool
) -> Rows:
    """The places in `rows` (m,) of the first `limit`, newest or oldest first, then by name.

    `after`: date and name after which they begin.
    """
    sign = 1 if oldest else -1
    begin = None if after is None else (sign * after[0], after[1])
    return first(sign * columns.dates[rows], rows, columns.names, limit, begin)
