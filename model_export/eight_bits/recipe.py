"""Writes a checkpoint in 8 bits: with changed channels, and a precision for each matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from clipsearch.model.bundle import Bundle
from clipsearch.model.manifest import TOWERS, Precision, Tower
from model_export.checkpoint import Checkpoint
from model_export.eight_bits.activations import measure, vectors
from model_export.eight_bits.exact import Choice, choose
from model_export.eight_bits.folds import Change, Fold, Folded, folds
from model_export.eight_bits.mixed import Mixer, in_8_bits, quantized
from model_export.eight_bits.samples import feeds
from model_export.eight_bits.smooth import ALPHAS, QUICK_ALPHAS, smooth
from model_export.ranking import noise
from model_export.towers.plan import Plan

# Of a tower, on the samples of this package. They are about twice as strict as held-out scenes: at
# 0.12 and 0.15 the demo model's R@1 is 0.006 lower. verify.py refuses 0.25, on its own samples.
BOUND = 0.1

FEW = 6  # samples on the quick path
COMPARED = 12  # samples for noise, which may be measured once for each matrix

# Writes a bundle into a new folder.
Write: TypeAlias = Callable[[Checkpoint, Path, Mapping[Tower, Plan]], Bundle]


@dataclass(frozen=True, slots=True)
class Written:
    """`report`: for each tower in 8 bits, how many matrices have them and which have not."""

    bundle: Bundle
    report: dict[Tower, dict[str, Any]]


def write_in_eight_bits(
    checkpoint: Checkpoint,
    exact: Path,
    folder: Path,
    precision: Mapping[Tower, Precision],
    write: Write,
    *,
    quick: bool,
    say: Callable[[str], None],
) -> Written:
    """Write a bundle into `folder`, which is new. `exact` beside it is the same in fp32.

    `quick`: fewer samples, and one strength of smoothing instead of a search.
    """
    towers = [tower for tower in precision if precision[tower] == "int8"]
    changed = smoothed(checkpoint, exact, towers, quick)
    plans = {tower: Plan(precision[tower]) for tower in precision}
    bundle = write(changed, folder, plans)
    report: dict[Tower, dict[str, Any]] = {}
    for tower in towers:
        compared = _Compared(exact, tower, FEW if quick else COMPARED)
        choice = Choice(frozenset(), {}, compared.noise(folder / f"{tower}.onnx"))
        count = len(in_8_bits(folder / f"{tower}.onnx"))
        if choice.noise > BOUND:
            say(
                f"{tower}: a noise of {choice.noise:.2f} in 8 bits, {BOUND} is the aim; "
                f"looking for the causes among {count} matrices"
            )
            choice = _choose(changed, folder, tower, write, compared)
            plans[tower] = Plan("int8", choice.exact)
        report[tower] = {
            "matrices": count,
            "in_fp32": {name: round(noise, 4) for name, noise in choice.alone.items()},
            "noise_on_samples": choice.noise,
        }
    if any(plan.exact for plan in plans.values()):
        bundle = write(changed, _emptied(folder), plans)
    return Written(bundle, report)


def smoothed(
    checkpoint: Checkpoint, exact: Path, towers: Sequence[Tower], quick: bool
) -> Checkpoint:
    """The same function with changed channels in `towers`. `exact` is its bundle in fp32."""
    changes: dict[Fold, Change] = {}
    for tower in towers:
        channels = measure(exact / f"{tower}.onnx", feeds(exact, tower, FEW if quick else None))
        places = folds(checkpoint.config, checkpoint.weights, tower)
        alphas = QUICK_ALPHAS if quick else ALPHAS
        changes |= smooth(places, checkpoint.weights, channels, alphas)
    return dataclasses.replace(checkpoint, weights=Folded(checkpoint.weights, changes))


class _Compared:
    """Samples, and the vectors of the tower in fp32."""

    def __init__(self, exact: Path, tower: Tower, count: int) -> None:
        self._feeds = feeds(exact, tower, count)
        self._vectors = vectors(exact / f"{tower}.onnx", self._feeds)

    def noise(self, graph: Path) -> float:
        return noise(vectors(graph, self._feeds), self._vectors)


def _choose(
    changed: Checkpoint, coarse: Path, tower: Tower, write: Write, compared: _Compared
) -> Choice:
    """Which matrices of `tower` stay in fp32; `coarse` is the bundle that has none of them."""
    same = coarse.with_name("changed")
    if not same.exists():
        write(changed, same, dict.fromkeys(TOWERS, Plan("fp32")))
    graph, exact_graph = coarse / f"{tower}.onnx", same / f"{tower}.onnx"
    matrices = quantized(graph)
    tables: dict[str, float] = {}
    rest = compared.noise(Mixer(graph, exact_graph).write(frozenset(matrices)))
    if rest > BOUND / 2:  # of tables, and of what reads bytes; they go together
        tables = dict.fromkeys(sorted(in_8_bits(graph) - set(matrices)), rest)
        finer = coarse.with_name(f"finer-{tower}")
        write(changed, finer, dict.fromkeys(TOWERS, Plan("int8", tables.keys())))
        graph = finer / f"{tower}.onnx"
    mixer = Mixer(graph, exact_graph)
    choice = choose(matrices, lambda exact: compared.noise(mixer.write(exact)), BOUND)
    return Choice(choice.exact | tables.keys(), tables | choice.alone, choice.noise)


def _emptied(folder: Path) -> Path:
    """Gone, for a bundle that is written again."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return folder
