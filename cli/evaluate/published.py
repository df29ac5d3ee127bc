"""Published figures, for comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SOURCE = (
    "github.com/mlfoundations/open_clip, docs/openclip_retrieval_results.csv: "
    "COCO, 5,000 photos of Karpathy's test split"
)


@dataclass(frozen=True)
class Published:
    """`name`: of a bundle of this checkpoint. R@1, R@5 and R@10 in both directions."""

    label: str
    name: str
    text_to_image: tuple[float, float, float]
    image_to_text: tuple[float, float, float]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


PUBLISHED = (
    Published(
        "ViT-B/32, OpenAI",
        "openai/clip-vit-base-patch32",
        (0.3044, 0.5594, 0.6687),
        (0.5012, 0.7500, 0.8352),
    ),
    Published(
        "ViT-B/32, LAION-2B",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        (0.3934, 0.6543, 0.7561),
        (0.5632, 0.7984, 0.8712),
    ),
)
