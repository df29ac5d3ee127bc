"""The training loss: contrastive over all pairs, plus labels that are known from the drawing."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPModel

from model_export.demo.batches import IGNORED, Batch
from model_export.demo.drawing import COLOURS, PLACES, THINGS
from model_export.demo.scenes import MAX_COUNT

MAX_LOGIT_SCALE = 4.6052  # ln 100, CLIP's own ceiling


class AttributeHead(nn.Module):
    """Predicts counts, colours and place from a vector; only for training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.counts = nn.Linear(width, len(THINGS) * (MAX_COUNT + 1))
        self.colours = nn.Linear(width, len(THINGS) * len(COLOURS))
        self.place = nn.Linear(width, len(PLACES))

    def loss(self, x: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Mean cross entropy of the three predictions from x, (B, width)."""
        counts = self.counts(x).view(-1, MAX_COUNT + 1)
        colours = self.colours(x).view(-1, len(COLOURS))
        # the sum over things, not the mean: ten of twelve are absent
        return (
            F.cross_entropy(counts, batch.counts.flatten()) * len(THINGS) / 2
            + F.cross_entropy(colours, batch.colours.flatten(), ignore_index=IGNORED)
            + F.cross_entropy(self.place(x), batch.place)
        )


class PatchHead(nn.Module):
    """Predicts the thing on a patch from its hidden state; only for training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.things = nn.Linear(width, len(THINGS) + 1)
        self.colours = nn.Linear(width, len(COLOURS))

    def loss(self, patches: torch.Tensor, batch: Batch) -> torch.Tensor:
        x = self.norm(patches).flatten(0, 1)
        return F.cross_entropy(self.things(x), batch.patch_things.flatten()) + F.cross_entropy(
            self.colours(x), batch.patch_colours.flatten(), ignore_index=IGNORED
        )


def _over_true(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each row's softmax with the uniform distribution over its true columns.

    Rows without a true column are left out. logits, truth: (R, C).
    """
    number = truth.sum(1)
    hit = (logits.log_softmax(1) * truth).sum(1) / number.clamp(min=1)
    return -hit.sum() / (number > 0).sum()


class DemoObjective(nn.Module):
    """CLIP and the heads that only training needs."""

    def __init__(self, clip: CLIPModel, patch_layer: int) -> None:
        super().__init__()
        self.clip, self.patch_layer = clip, patch_layer
        width = clip.config.vision_config.hidden_size
        self.pooled_head = AttributeHead(width)
        self.joint_head = AttributeHead(clip.config.projection_dim)
        self.patch_head = PatchHead(width)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The parts of the loss, each a scalar."""
        seen = self.clip.vision_model(pixel_values=batch.pixels, output_hidden_states=True)
        read = self.clip.text_model(input_ids=batch.input_ids)
        images = F.normalize(self.clip.visual_projection(seen.pooler_output).float(), dim=-1)
        texts = F.normalize(self.clip.text_projection(read.pooler_output).float(), dim=-1)
        logits = images @ texts.T * self.clip.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        pictures = len(images)
        scale = images.shape[1] ** 0.5  # unit vectors are too short for a linear layer
        return {
            "text_to_image": _over_true(logits.T, batch.truth.T),
            "image_to_text": _over_true(logits[:, batch.full], batch.truth[:, batch.full]),
            "pooled": self.pooled_head.loss(seen.pooler_output, batch),
            "joint": self.joint_head.loss(images * scale, batch)
            + self.joint_head.loss(texts[:pictures] * scale, batch),
            "patches": self.patch_head.loss(seen.hidden_states[self.patch_layer][:, 1:], batch),
        }
