"""Train the demo model: `make demo-model`, or `python -m model_export.demo.train --help`.

Every batch has new pictures, so training never sees a picture twice. It saves a checkpoint every
few minutes, and the next run continues from the last one. The learning rate is constant until the
last `DECAY` of the run and then falls to zero, so you can change the length of a run in progress.
Floating-point sums depend on the processor: another machine gets another model of the same
quality, not the same bytes.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPModel

from model_export.demo import BUNDLE, WEIGHTS
from model_export.demo.batches import Batch, make_batch
from model_export.demo.export import TOKENIZER, export_demo
from model_export.demo.losses import DemoObjective
from model_export.demo.model import PATCH, new_model
from model_export.demo.preprocessing import IMAGE_SIZE
from model_export.demo.tokenizer import train_tokenizer

BATCH = 256  # pictures
PATCH_LAYER = 3  # of 5: the patch head reads here, so two layers are left to gather its result
LEARNING_RATE = 1.5e-3
MUON_LEARNING_RATE = 3e-3
WARMUP = 200  # batches
DECAY = 0.3  # share of the run
LOSS_WEIGHTS = {
    "text_to_image": 1.0,
    "image_to_text": 1.0,
    "pooled": 0.5,
    "joint": 0.25,
    "patches": 0.5,
}
LOG_EVERY = 20  # batches
SECONDS_BETWEEN_CHECKPOINTS = 120

log = logging.getLogger("demo.train")


class DrawnBatches(Dataset[Batch]):
    """Batch `i` is the same in every run: it is drawn from the seed and its number."""

    def __init__(self, seed: int, batches: int, batch_size: int) -> None:
        self.seed, self.batches, self.batch_size = seed, batches, batch_size
        self.tokenizer = train_tokenizer(seed)

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, i: int) -> Batch:
        rng = np.random.default_rng((self.seed, i))
        return make_batch(self.batch_size, self.tokenizer, IMAGE_SIZE, PATCH, rng)


def _optimizers(objective: DemoObjective) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the transformers, AdamW for everything else."""
    named = dict(objective.named_parameters())
    hidden = {n: p for n, p in named.items() if p.ndim == 2 and ".encoder.layers." in n}
    others = [p for n, p in named.items() if n not in hidden]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": 0.05},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(
            hidden.values(),
            lr=MUON_LEARNING_RATE,
            weight_decay=0.05,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98)),
    ]


def rate(step: int, steps: int) -> float:
    """Factor of the learning rate: up over WARMUP, flat, down to 0 over the last DECAY."""
    return min(1.0, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))


class Trainer:
    """A model in training: weights and optimizers, one step at a time."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.objective = DemoObjective(new_model(), PATCH_LAYER)
        self._optimizers = _optimizers(self.objective)
        groups = [group for o in self._optimizers for group in o.param_groups]
        self._groups = [(group, group["lr"]) for group in groups]

    def step(self, batch: Batch, factor: float) -> dict[str, torch.Tensor]:
        """One step at `factor` times the learning rates; returns the parts of the loss."""
        for group, learning_rate in self._groups:
            group["lr"] = factor * learning_rate
        with torch.autocast("cpu", torch.bfloat16):
            parts: dict[str, torch.Tensor] = self.objective(batch)
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.stack([LOSS_WEIGHTS[name] * part for name, part in parts.items()]).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.objective.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        return parts

    def save(self, path: Path, steps_done: int) -> None:
        state = {
            "step": steps_done,
            "objective": self.objective.state_dict(),
            "optimizers": [o.state_dict() for o in self._optimizers],
        }
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def load(self, path: Path) -> int:
        """Continue from a checkpoint; returns the number of its steps."""
        state = torch.load(path)
        self.objective.load_state_dict(state["objective"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        return int(state["step"])


def train(folder: Path, pictures: int, seed: int) -> CLIPModel:
    """Train on `pictures` pictures, continuing from the checkpoint in `folder` if there is one."""
    trainer = Trainer(seed)
    steps = pictures // BATCH
    checkpoint = folder / "checkpoint.pt"
    first = trainer.load(checkpoint) if checkpoint.exists() else 0
    if first >= steps:
        log.info("%s is trained on %d batches, of %d: done", checkpoint, first, steps)
        return trainer.objective.clip
    log.info("batches %d to %d, checkpoints in %s", first, steps, checkpoint)
    drawn = DrawnBatches(seed, steps, BATCH)
    loader = DataLoader(drawn, sampler=range(first, steps), batch_size=None, num_workers=1)
    saved_at = logged_at = time.monotonic()
    for step, batch in enumerate(loader, first):
        parts = trainer.step(batch, rate(step, steps))
        if step % LOG_EVERY == 0:
            losses = " ".join(f"{name} {part.item():.3f}" for name, part in parts.items())
            seconds, logged_at = time.monotonic() - logged_at, time.monotonic()
            speed = min(LOG_EVERY, step - first + 1) * BATCH / seconds
            log.info("batch %d/%d %s %.0f pictures/s", step, steps, losses, speed)
        if time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            trainer.save(checkpoint, step + 1)
            saved_at = time.monotonic()
    trainer.save(checkpoint, steps)
    return trainer.objective.clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/demo-model"))
    parser.add_argument("--pictures", type=int, default=330_000)
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = train(arguments.folder, arguments.pictures, arguments.seed)
    model.half().save_pretrained(WEIGHTS)
    train_tokenizer(arguments.seed).save(str(WEIGHTS / TOKENIZER))
    export_demo(BUNDLE)


if __name__ == "__main__":
    main()
