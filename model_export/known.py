"""Checkpoints of the Hugging Face hub that are known, and the names that people use.

facts.py says what is published about them. A pinned revision never changes: whoever asks for the
id today or in a year gets the same model. The revisions and the digests were compared in several
public sources that name both. Without a revision the newest one counts; without a digest, the one
that the hub itself gives (see hub.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_export.errors import UsageError

DEFAULT_MODEL = "openai/clip-vit-base-patch32"


@dataclass(frozen=True, slots=True)
class Known:
    """`model` is the id at the hub, `revision` a commit of it. `sha256`: hex digests of weights,
    by the name of the file."""

    model: str
    family: str
    revision: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)


KNOWN = {
    known.model: known
    for known in (
        Known(
            "openai/clip-vit-base-patch32",
            "CLIP",
            "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
            {
                "pytorch_model.bin": (
                    "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f"
                ),
            },
        ),
        Known(
            "openai/clip-vit-base-patch16",
            "CLIP",
            "57c216476eefef5ab752ec549e440a49ae4ae5f3",
        ),
        Known(
            "openai/clip-vit-large-patch14",
            "CLIP",
            "32bd64288804d66eefd0ccbe215aa642df71cc41",
            {
                "model.safetensors": (
                    "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb"
                ),
            },
        ),
        Known(
            "openai/clip-vit-large-patch14-336",
            "CLIP",
            "ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
            {
                "pytorch_model.bin": (
                    "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801"
                ),
            },
        ),
        Known(
            "timm/vit_base_patch32_clip_224.openai",
            "OpenCLIP",
            "a6f597a30f7b82c51704746581f9a4e41421e878",
            {
                "open_clip_model.safetensors": (
                    "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31"
                ),
            },
        ),
        Known(
            "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
            "CLIP",
            "1a25a446712ba5ee05982a381eed697ef9b435cf",
        ),
        Known(
            "google/siglip-base-patch16-224",
            "SigLIP",
            "7fd15f0689c79d79e38b1c2e2e2370a7bf2761ed",
            {
                "model.safetensors": (
                    "2c63cb7d1f2e95ba501893cbb8faeb4ea9a3af295498d35097126228659c2af8"
                ),
            },
        ),
        Known("google/siglip-base-patch16-256-multilingual", "SigLIP"),
        Known("google/siglip2-base-patch32-256", "SigLIP 2"),
        Known(
            "google/siglip2-base-patch16-224",
            "SigLIP 2",
            "75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
            {
                "model.safetensors": (
                    "612923381c76ec5a9bed335d1c48827e3f2e506ac31b044b63b2031fadee6a0b"
                ),
            },
        ),
        Known(
            "google/siglip2-so400m-patch14-384",
            "SigLIP 2",
            "e8e487298228002f3d8a82e0cd5c8ea9c567f57f",
        ),
        Known("facebook/metaclip-2-worldwide-b32", "MetaCLIP 2"),
        Known(
            "OFA-Sys/chinese-clip-vit-base-patch16",
            "Chinese-CLIP",
            "36e679e65c2a2fead755ae21162091293ad37834",
        ),
        Known("BAAI/AltCLIP", "AltCLIP"),
    )
}

# What clip.load and open_clip call them, once "/", "@" and "_" are "-".
OPENAI_NAMES = {
    "vit-b-32": "openai/clip-vit-base-patch32",
    "vit-b-16": "openai/clip-vit-base-patch16",
    "vit-l-14": "openai/clip-vit-large-patch14",
    "vit-l-14-336": "openai/clip-vit-large-patch14-336",
}


def hub_id(given: str) -> str:
    """The id at the hub for one of OpenAI's own names, such as ViT-B/32, openai:ViT-B-32 or
    ViT-L/14@336px; any other name as it is. UsageError for OpenAI's ResNets."""
    name = re.sub(r"^openai[:/]|(-quickgelu)?(::|__)openai$|\.pt$", "", given.lower())
    name = re.sub(r"[/@_]", "-", name).removesuffix("px").removesuffix("-quickgelu")
    if re.fullmatch(r"rn\d+(x\d+)?", name):
        raise UsageError(
            f"{given} is a ResNet, and only a CLIP with a vision transformer can be exported, "
            f"such as {DEFAULT_MODEL}"
        )
    return OPENAI_NAMES.get(name, given)
