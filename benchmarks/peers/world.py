"""What all sides are given, made once: the model, photos' vectors, texts' vectors, our index."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoder import MODELS, make_models
from benchmarks.encoder import PHOTOS as PICTURES
from benchmarks.encoder_sides import QUERIES
from benchmarks.index.data import SPACE, Data, Vectors
from benchmarks.peers.given import LIMIT, PHOTOS, Given
from cli import ROOT

BLOCK = 16_384
IMAGE_SIZE, CONTEXT = 224, 77
END = "<|endoftext|>"  # also fills up


def make_world(photos: int, vectors: Path | None, more_texts: Path | None) -> Given:
    """Write it below build/bench, unless it is there. Raises OSError."""
    make_models()
    data = Data.load(vectors, more_texts)
    folder = ROOT / "build" / "bench" / f"peers-{photos}-{data.origin}"
    given = Given(
        folder=str(folder),
        photos=photos,
        checkpoint=str(MODELS / "hf"),
        bundles=str(MODELS),
        pictures=str(PICTURES),
        many=str(folder / "many"),
        index=str(folder / "ours"),
        space=SPACE,
        texts=list(QUERIES),
    )
    given.vectors_file.parent.mkdir(parents=True, exist_ok=True)
    given.write()
    Path(given.many).mkdir(exist_ok=True)
    pictures = given.picture_paths
    for number in range(PHOTOS):
        _link(pictures[number % len(pictures)], Path(given.many) / f"{number:03}.jpg")
    data.write_library(Path(given.index), photos)
    if not given.vectors_file.exists():
        np.save(given.vectors_file, np.concatenate(list(data.photos(photos))))
    queries = np.concatenate([data.texts, data.more_texts])
    np.random.default_rng(0).shuffle(queries)
    np.save(folder / "queries.npy", queries)
    for precision in ("int8", "fp32"):
        _write_for_fastembed(given, precision)
    return given


def bounds_of(given: Given) -> Vectors:
    """(q,) the exact score of the 20th best photo of each query."""
    vectors, queries = given.vectors(), given.queries()
    best = np.full((len(queries), LIMIT), -np.inf, np.float32)
    for begin in range(0, len(vectors), BLOCK):
        scores = queries @ vectors[begin : begin + BLOCK].T
        best = -np.sort(-np.concatenate([best, scores], axis=1), axis=1)[:, :LIMIT]
    return best[:, -1]


def _write_for_fastembed(given: Given, precision: str) -> None:
    """Our graphs and weights in the folders that fastembed expects. Ours takes (N, S, S, 3) uint8;
    fastembed gives (N, 3, S, S) float32, so two nodes come before."""
    folder = given.own("fastembed") / precision
    bundle = Path(given.bundles) / precision
    if (folder / "image" / "model.onnx").exists():
        return
    for tower in ("text", "image"):
        (folder / tower).mkdir(parents=True, exist_ok=True)
        for file in bundle.glob(f"{tower}.onnx.*"):
            _link(file, folder / tower / file.name)
    text = folder / "text"
    _link(bundle / "text.onnx", text / "model.onnx")
    _link(bundle / "tokenizer.json", text / "tokenizer.json")
    end = json.loads((bundle / "tokenizer.json").read_text())["model"]["vocab"][END]
    _write(text / "config.json", {"pad_token_id": end})
    _write(text / "tokenizer_config.json", {"model_max_length": CONTEXT, "pad_token": END})
    _write(text / "special_tokens_map.json", {"pad_token": END})
    _write(
        folder / "image" / "preprocessor_config.json",
        {
            "do_resize": True,
            "size": {"shortest_edge": IMAGE_SIZE},
            "do_center_crop": True,
            "crop_size": IMAGE_SIZE,
        },
    )
    _write_image_graph(bundle / "image.onnx", folder / "image" / "model.onnx")


def _write_image_graph(source: Path, target: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(source), load_external_data=False)
    [ours] = model.graph.input
    name = ours.name
    theirs = helper.make_tensor_value_info(
        "pixel_values", TensorProto.FLOAT, ["N", 3, IMAGE_SIZE, IMAGE_SIZE]
    )
    cast = helper.make_node("Cast", ["pixel_values"], ["as_bytes"], to=TensorProto.UINT8)
    turn = helper.make_node("Transpose", ["as_bytes"], [name], perm=[0, 2, 3, 1])
    nodes = [cast, turn, *model.graph.node]
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.append(theirs)
    model.graph.node.extend(nodes)
    onnx.save(model, str(target))


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.link(source, target)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value) + "\n")
