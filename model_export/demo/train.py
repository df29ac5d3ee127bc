"""Train the demo model: `make demo-model`, or `python -m model_export.demo.train --help`.

Draws pictures without end, so that no picture is seen twice, and saves a checkpoint every few
minutes; run again, it goes on from the last one. The learning rate stays constant until the
last `DECAY` of the run and then falls to zero, so that a run can be made longer or shorter
while it is under way.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from model_export.demo.batches import Batch, make_batch
from model_export.demo.losses import DemoObjective
from model_export.demo.tokenizer import CONTEXT_LENGTH, END, START, VOCABULARY, train_tokenizer

IMAGE_SIZE, PATCH = 64, 8
PATCH_LAYER = 3  # of 5: two more layers gather what the patches have learnt
BATCH = 256
LEARNING_RATE = 1.5e-3
MUON_LEARNING_RATE = 3e-3
WARMUP = 200  # batches
DECAY = 0.3  # share of the run
WEIGHTS = {"text_to_image": 1.0, "image_to_text": 1.0, "pooled": 0.5, "joint": 0.25, "patches": 0.5}
SECONDS_BETWEEN_CHECKPOINTS = 120

log = logging.getLogger("demo.train")


def new_model() -> CLIPModel:
    """CLIP's classes at 2.9 million parameters."""
    text = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT_LENGTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        hidden_act="gelu",  # one kernel; CLIP's quick_gelu is several, each way
    )
    vision = CLIPVisionConfig(
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=5,
        num_attention_heads=3,
        image_size=IMAGE_SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=128
    )
    # at 65 tokens, eager attention trains twice as fast on a CPU as the fused kernel
    return CLIPModel._from_config(config, attn_implementation="eager")


class DrawnBatches(Dataset[Batch]):
    """Batch `i` is always the same: it is drawn from the seed and its number."""

    def __init__(self, seed: int, batches: int) -> None:
        self.seed, self.batches = seed, batches
        self.tokenizer = train_tokenizer(seed)
        assert self.tokenizer.token_to_id(START) == 0
        assert self.tokenizer.token_to_id(END) == 1

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, i: int) -> Batch:
        rng = np.random.default_rng((self.seed, i))
        return make_batch(BATCH, self.tokenizer, IMAGE_SIZE, PATCH, rng)


def optimizers_of(objective: DemoObjective) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the transformers, AdamW for everything else."""
    hidden, matrices, others = [], [], []
    for name, parameter in objective.named_parameters():
        if parameter.ndim == 2 and ".encoder.layers." in name:
            hidden.append(parameter)
        else:
            (matrices if parameter.ndim >= 2 else others).append(parameter)
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return [
        torch.optim.Muon(
            hidden, lr=MUON_LEARNING_RATE, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98)),
    ]


def rate(step: int, steps: int) -> float:
    """Factor of the learning rate: up over WARMUP, flat, down to 0 over the last DECAY."""
    return min(1.0, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))


def save(path: Path, step: int, objective: DemoObjective, optimizers: list) -> None:
    state = {
        "step": step,
        "objective": objective.state_dict(),
        "optimizers": [o.state_dict() for o in optimizers],
    }
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def train(folder: Path, pictures: int, seed: int) -> CLIPModel:
    """Train on `pictures` pictures, or go on from the checkpoint in `folder`."""
    torch.manual_seed(seed)
    steps = pictures // BATCH
    objective = DemoObjective(new_model(), PATCH_LAYER)
    optimizers = optimizers_of(objective)
    base_rates = [[g["lr"] for g in o.param_groups] for o in optimizers]
    checkpoint, first = folder / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        first = state["step"]
        objective.load_state_dict(state["objective"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        log.info("going on from step %d of %d", first, steps)

    drawn = DrawnBatches(seed, steps)
    loader = DataLoader(drawn, sampler=range(first, steps), batch_size=None, num_workers=1)
    saved_at = logged_at = time.monotonic()
    for step, batch in enumerate(loader, first):
        for optimizer, rates in zip(optimizers, base_rates, strict=True):
            for group, base in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = base * rate(step, steps)
        with torch.autocast("cpu", torch.bfloat16):
            parts = objective(batch)
        loss = sum(WEIGHTS[name] * part for name, part in parts.items())
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        if step % 20 == 0:
            now = time.monotonic()
            log.info(
                "step %d/%d %s %.0f pictures/s",
                step,
                steps,
                " ".join(f"{name} {part.item():.3f}" for name, part in parts.items()),
                (BATCH if step == first else 20 * BATCH) / (now - logged_at),
            )
            logged_at = now
        if time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            save(checkpoint, step + 1, objective, optimizers)
            saved_at = time.monotonic()
    save(checkpoint, steps, objective, optimizers)
    return objective.clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/demo-model"))
    parser.add_argument("--pictures", type=int, default=1_200_000)
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = train(arguments.folder, arguments.pictures, arguments.seed)
    model.save_pretrained(arguments.folder / "model")
    train_tokenizer(arguments.seed).save(str(arguments.folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
