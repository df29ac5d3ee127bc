"""The weights in a folder: one file, or several with an index that says which array is where."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_export.errors import BadCheckpoint
from model_export.files import OPENCLIP_WEIGHTS, WEIGHTS
from model_export.weights.named_arrays import Stored, Weights, first_names, is_printable_name
from model_export.weights.pytorch_file import read_pytorch
from model_export.weights.pytorch_zip import OPENAI
from model_export.weights.safetensors_file import read_safetensors

INDEX = ".index.json"
LARGEST_INDEX = 16 << 20  # bytes


def open_weights(
    folder: Path, where: str, files: Sequence[str] = (*WEIGHTS, *OPENCLIP_WEIGHTS)
) -> Weights:
    """The arrays of the first of `files` that `folder` has; errors call the folder `where`.

    The names are those in the file, without the buffers `position_ids`: they count from 0, and
    only old checkpoints have them. BadCheckpoint.
    """
    name = next((name for name in files if (folder / name).exists()), None)
    if name is None:
        raise BadCheckpoint(where, f"has no weights: none of {', '.join(files)}{_advice(folder)}")
    if name.endswith(INDEX):
        arrays = _read_shards(folder, name, where)
    else:
        arrays = _read_file(folder / name, where)
    return Weights(
        {
            array: stored
            for array, stored in arrays.items()
            if array.rpartition(".")[2] != "position_ids"
        }
    )


def _read_file(path: Path, where: str) -> dict[str, Stored]:
    read = read_safetensors if path.suffix == ".safetensors" else read_pytorch
    arrays = read(path, where)
    for name in arrays:
        if not is_printable_name(name):
            raise BadCheckpoint(where, f"has a {path.name} with an array named {name[:80]!a}")
    return arrays


def _read_shards(folder: Path, index: str, where: str) -> dict[str, Stored]:
    places = _weight_map(folder / index, where)
    arrays: dict[str, Stored] = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard or not (folder / shard).is_file():
            raise BadCheckpoint(where, f"lacks {shard[:80]!a}, which its {index} names")
        found = _read_file(folder / shard, where)
        wanted = {name for name, place in places.items() if place == shard}
        if wrong := sorted(wanted ^ found.keys()):
            raise BadCheckpoint(
                where, f"has a {shard} that does not fit its {index}: {first_names(wrong)}"
            )
        arrays |= found
    return arrays


def _weight_map(path: Path, where: str) -> dict[str, str]:
    """From {"weight_map": {"NAME": "FILE", …}}."""
    try:
        if path.stat().st_size > LARGEST_INDEX:
            raise BadCheckpoint(where, f"has a {path.name} of more than {LARGEST_INDEX} bytes")
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise BadCheckpoint(where, f"has a damaged {path.name}: it is no JSON") from exc
    places = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(places, dict) or not all(
        isinstance(place, str) and is_printable_name(name) for name, place in places.items()
    ):
        raise BadCheckpoint(where, f"has a damaged {path.name}: it has no weight_map")
    return places


def _advice(folder: Path) -> str:
    for name, hub_id in OPENAI.items():
        if (folder / name).exists():
            return f"; instead of OpenAI's {name}, use {hub_id} from the Hugging Face hub"
    return ""
