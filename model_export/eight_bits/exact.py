"""Which matrices stay in fp32: the fewest that bring the noise of a tower under the bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """`noise` is of the whole tower with the matrices of `exact` in fp32. `alone` is what each of
    these adds when it is the only one in 8 bits."""

    exact: Set[str]
    alone: dict[str, float]
    noise: float


def choose(matrices: Sequence[str], noise: Callable[[Set[str]], float], bound: float) -> Choice:
    """`noise(exact)` measures the tower with these matrices in fp32 and the others in 8 bits.

    It is called once for each matrix, and a few times more. If no choice is under the bound, all
    matrices are in fp32.
    """
    everything = frozenset(matrices)
    rest = noise(everything)  # of tables and of what reads bytes
    alone = {name: _beyond(noise(everything - {name}), rest) for name in matrices}
    worst = sorted(matrices, key=lambda name: -alone[name])
    # Squares of independent errors add up.
    count = 0
    while count < len(worst) and math.hypot(rest, *(alone[name] for name in worst[count:])) > bound:
        count += 1
    while True:
        exact = frozenset(worst[:count])
        found = noise(exact)
        if found <= bound or count == len(worst):
            return Choice(exact, {name: alone[name] for name in worst[:count]}, found)
        count += 1


def _beyond(whole: float, part: float) -> float:
    return math.sqrt(max(whole**2 - part**2, 0))
