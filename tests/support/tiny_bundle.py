"""A model small enough to make in a test: it sees the colours of a picture's quarters.

It has the real bundle format and runs in the real encoder. The vector of a picture is a fixed
random projection of the mean colours of its four quarters. The vector of a text is the sum of its
words' vectors. The vector of a colour is that of a picture of only this colour. So "red" finds the
reddest picture, and words other than colours get random vectors.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from clipsearch.images.preprocess import PREPROCESSING
from clipsearch.model.bundle import FILES, MODEL_JSON, Bundle, space_of

DIM = 32
IMAGE_SIZE = 16
CONTEXT_LENGTH = 12
MEAN = STD = (0.5, 0.5, 0.5)

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
OTHER_WORDS = ("a", "the", "of", "and", "photo", "picture")
START, END, UNKNOWN = "<start>", "<end>", "<unknown>"


def make_tiny_bundle(folder: Path, seed: int = 0) -> Path:
    """Write the bundle into `folder` and return it. Another seed gives another space."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    projection = random.standard_normal((12, DIM)).astype(np.float32)
    bias = 0.1 * random.standard_normal(DIM).astype(np.float32)
    words = [START, END, UNKNOWN, *OTHER_WORDS, *COLOURS]
    table = random.standard_normal((len(words), DIM)).astype(np.float32)
    table[:2] = 0  # so padding with end tokens changes nothing
    for word, colour in COLOURS.items():
        quarters = np.tile((np.array(colour, np.float32) / 255 - 0.5) / 0.5, (4, 1))
        # the pooled picture is (3, 2, 2): channel first
        table[words.index(word)] = quarters.T.reshape(12) @ projection + bias
    _save(_image_graph(projection, bias), folder / "image.onnx")
    _save(_text_graph(table), folder / "text.onnx")
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    (folder / MODEL_JSON).write_bytes(_bundle(folder, seed).to_json())
    return folder


def _image_graph(projection: np.ndarray, bias: np.ndarray) -> onnx.GraphProto:
    half = IMAGE_SIZE // 2
    nodes = [
        helper.make_node("Cast", ["pixels"], ["bytes"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["bytes", "whole"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normal"]),
        helper.make_node("Transpose", ["normal"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "AveragePool", ["planes"], ["pooled"], kernel_shape=[half, half], strides=[half, half]
        ),
        helper.make_node("Flatten", ["pooled"], ["quarters"]),
        helper.make_node("MatMul", ["quarters", "projection"], ["projected"]),
        helper.make_node("Add", ["projected", "bias"], ["features"]),
        helper.make_node("LpNormalization", ["features"], ["embedding"], axis=-1, p=2),
    ]
    weights = {
        "whole": np.array(255, np.float32),
        "mean": np.array(MEAN, np.float32),
        "std": np.array(STD, np.float32),
        "projection": projection,
        "bias": bias,
    }
    shape: list[str | int | None] = ["n", IMAGE_SIZE, IMAGE_SIZE, 3]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)
    return _graph("image", nodes, pixels, weights)


def _text_graph(table: np.ndarray) -> onnx.GraphProto:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("ReduceSum", ["words", "axis"], ["summed"], keepdims=0),
        helper.make_node("Add", ["summed", "little"], ["features"]),
        helper.make_node("LpNormalization", ["features"], ["embedding"], axis=-1, p=2),
    ]
    # small: a text without words needs a direction too
    little = np.full(DIM, 1e-6, np.float32)
    weights = {"table": table, "axis": np.array([1], np.int64), "little": little}
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])
    return _graph("text", nodes, ids, weights)


def _graph(
    name: str,
    nodes: list[onnx.NodeProto],
    given: onnx.ValueInfoProto,
    weights: dict[str, np.ndarray],
) -> onnx.GraphProto:
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIM])
    tensors = [numpy_helper.from_array(np.asarray(w), key) for key, w in weights.items()]
    return helper.make_graph(nodes, name, [given], [embedding], tensors)


def _save(graph: onnx.GraphProto, path: Path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    data = path.with_name(f"{path.name}.data")
    data.unlink(missing_ok=True)  # onnx would append to it
    onnx.save_model(
        model,
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=data.name,
        # shapes and axes must be in the graph itself
        size_threshold=64,
    )


def _tokenizer(words: list[str]) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, 0), (END, 1)]
    )
    return tokenizer


def _bundle(folder: Path, seed: int) -> Bundle:
    data = {file: (folder / file).read_bytes() for file in FILES}
    files = {file: hashlib.sha256(content).hexdigest() for file, content in data.items()}
    return Bundle(
        space=space_of(
            files,
            dim=DIM,
            context_length=CONTEXT_LENGTH,
            image_size=IMAGE_SIZE,
            mean=MEAN,
            std=STD,
        ),
        name=f"tiny-{seed}",
        dim=DIM,
        logit_scale=100.0,
        context_length=CONTEXT_LENGTH,
        image_size=IMAGE_SIZE,
        preprocessing=PREPROCESSING,
        mean=MEAN,
        std=STD,
        files=files,
        sizes={file: len(content) for file, content in data.items()},
        precision={"image": "fp32", "text": "fp32"},
        text_direction=(0.3, *[0.0] * (DIM - 1)),
        report={},
    )
