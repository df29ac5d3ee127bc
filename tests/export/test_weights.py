"""Weights read without torch are those that torch and safetensors give, bit by bit."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.random_clip import tiny_clip
from model_export.errors import BadCheckpoint
from model_export.weights.folder import open_weights
from model_export.weights.named_arrays import Weights, check_names
from tests.export.checkpoints import save_old

FLOATS = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]


def assert_same(weights: Weights, tensors: dict[str, torch.Tensor]) -> None:
    assert set(weights) == set(tensors)
    for name, tensor in tensors.items():
        wanted = tensor.detach()
        wanted = wanted.float() if wanted.is_floating_point() else wanted
        assert weights.shape(name) == tuple(tensor.shape)
        found = weights[name]
        assert found.shape == tuple(tensor.shape)
        assert found.dtype == wanted.numpy().dtype
        assert found.tobytes() == wanted.contiguous().numpy().tobytes(), name


def loaded(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def opened(folder: Path) -> Weights:
    return open_weights(folder, "FOLDER")


def refusal(folder: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        opened(folder)
    message = str(caught.value)
    assert message.isprintable()
    return message.removeprefix("FOLDER ")


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=str)
@pytest.mark.parametrize("kind", ["pytorch", "safetensors"])
def test_every_type_of_number(tmp_path, dtype, kind):
    """All bit patterns of 16 bits: infinities, NaNs and the smallest numbers too."""
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    if dtype.itemsize == 2:
        values = bits.view(dtype)
    elif dtype.is_floating_point:
        values = torch.cat([bits.view(torch.float16).to(dtype), torch.randn(99, dtype=dtype)])
    else:
        values = bits.to(dtype)
    if dtype == torch.float16 or dtype == torch.float64:
        values = values[~values.isnan()]  # a NaN may get other bits on its way to float32
    tensors = {"a": values, "scalar": values[3].clone(), "b": values[:6].clone().reshape(2, 3)}
    if kind == "pytorch":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        save_file(tensors, tmp_path / "model.safetensors")
    assert_same(opened(tmp_path), tensors)


def test_shared_and_strided_storages(tmp_path):
    whole = torch.randn(40, 30)
    tensors = {
        "whole": whole,
        "same": whole,
        "turned": whole.t(),
        "part": whole[3:9, 4:20:3],
        "column": whole[:, 5],
        "row": whole[5],
        "permuted": torch.randn(2, 3, 4, 5).permute(3, 0, 2, 1),
        "one": whole[7, 7],
        "expanded": whole[:1].expand(10, 30),
        "part of a storage that is not saved whole": torch.arange(10.0)[4:6],
    }
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors, path)
    assert_same(opened(tmp_path), loaded(path))


def test_more_numbers_than_the_storage_has_are_refused(tmp_path):
    torch.save({"a": torch.randn(3, 1).expand(3, 5)}, tmp_path / "pytorch_model.bin")
    assert "a tensor that is larger than its storage" in refusal(tmp_path)


@pytest.mark.parametrize("dtype", FLOATS[:3], ids=str)
@pytest.mark.parametrize("crc", [True, False])
def test_the_state_dict_of_a_model(tmp_path, dtype, crc):
    model = tiny_clip().to(dtype)
    torch.serialization.set_crc32_options(crc)
    try:
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same(opened(tmp_path), loaded(tmp_path / "pytorch_model.bin"))


def test_position_ids_are_left_out(tmp_path):
    model = tiny_clip()
    folder = save_old(tmp_path / "old", model)
    assert "text_model.embeddings.position_ids" in loaded(folder / "pytorch_model.bin")
    assert_same(opened(folder), dict(model.state_dict()))


def test_parameters_are_refused_by_name(tmp_path):
    """A state_dict has none: it holds their numbers."""
    torch.save(dict(tiny_clip().named_parameters()), tmp_path / "pytorch_model.bin")
    assert "its pickle names torch._utils._rebuild_parameter; only plain" in refusal(tmp_path)


def test_whole_models_and_other_kinds_of_tensors_are_refused(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    for held in (
        tiny_clip(),
        {"a": torch.eye(3).to_sparse()},
        {"a": torch.randn(3, dtype=torch.complex64)},
        {"a": torch.zeros(3, dtype=torch.uint16)},
        {"state_dict": {"a": torch.randn(3)}, "epoch": 3},
        {"a": np.zeros(3)},
        [torch.randn(3)],
        torch.randn(3),
    ):
        torch.save(held, path)
        assert "convert it to safetensors" in refusal(tmp_path)


def test_the_old_format_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save(tiny_clip().state_dict(), path, _use_new_zipfile_serialization=False)
    assert "the format that torch.save wrote before PyTorch 1.6; convert it" in refusal(tmp_path)


def test_a_torchscript_archive_is_refused_with_the_way_out(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is to be replaced
        script = torch.jit.trace(torch.nn.Linear(2, 3), torch.zeros(1, 2))
        torch.jit.save(script, tmp_path / "pytorch_model.bin")
    line = refusal(tmp_path)
    assert "it is a TorchScript archive" in line
    assert "the id of the same model on the Hugging Face hub" in line
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "ViT-L-14-336px.pt")
    assert "instead of OpenAI's ViT-L-14-336px.pt, use openai/clip-vit-large-patch14-336" in (
        refusal(tmp_path)
    )


@pytest.fixture(params=["safetensors", "bin"])
def sharded(request, tmp_path) -> Path:
    """tiny_clip in shards of 200 kB, with an index."""
    model = tiny_clip()
    model.save_pretrained(tmp_path, max_shard_size="200KB")
    if request.param == "safetensors":
        return tmp_path
    index = tmp_path / "model.safetensors.index.json"
    document = json.loads(index.read_text())
    tensors = model.state_dict()
    for shard in set(document["weight_map"].values()):
        names = [name for name, place in document["weight_map"].items() if place == shard]
        torch.save({name: tensors[name].clone() for name in names}, tmp_path / f"{shard}.bin")
        (tmp_path / shard).unlink()
    document["weight_map"] = {
        name: f"{shard}.bin" for name, shard in document["weight_map"].items()
    }
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(document))
    index.unlink()
    return tmp_path


def test_shards(sharded):
    [index] = sharded.glob("*.index.json")
    assert len(set(json.loads(index.read_text())["weight_map"].values())) > 1
    assert_same(opened(sharded), dict(tiny_clip().state_dict()))


def change_index(folder: Path, change) -> None:
    [index] = folder.glob("*.index.json")
    document = json.loads(index.read_text())
    change(document["weight_map"])
    index.write_text(json.dumps(document))


def test_an_index_that_does_not_fit_its_shards_is_refused(sharded):
    change_index(sharded, lambda places: places.pop("logit_scale"))
    assert "that does not fit its" in refusal(sharded)
    assert "logit_scale" in refusal(sharded)


@pytest.mark.parametrize("place", ["../other.bin", "/etc/passwd", "missing.safetensors", ".", ""])
def test_a_shard_that_is_not_in_the_folder_is_refused(sharded, place):
    (sharded.parent / "other.bin").touch()
    change_index(sharded, lambda places: places.update(logit_scale=place))
    assert refusal(sharded).startswith(f"lacks {place!a}, which its ")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}', "[" * 100_000]
)
def test_a_damaged_index_is_refused(sharded, text):
    [index] = sharded.glob("*.index.json")
    index.write_text(text)
    assert refusal(sharded).startswith(f"has a damaged {index.name}: ")


def header(document: object, data: bytes = bytes(24)) -> bytes:
    encoded = json.dumps(document).encode()
    return len(encoded).to_bytes(8, "little") + encoded + data


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        b"\xff" * 8 + b"{}",
        header({"a": entry("F32", [2, 3], 0, 24)})[:-1],
        header({"a": entry("F32", [2, 3], 0, 24)}) + b"x",
        header({"a": entry("F32", [2, 4], 0, 24)}),
        header({"a": entry("F32", [2, 3], 4, 28)}),
        header({"a": entry("F32", [2, 3], 24, 0)}),
        header({"a": entry("F32", [1 << 62, 1 << 62], 0, 24)}),
        header({"a": entry("F32", [3], 0, 12), "b": entry("F32", [4], 8, 24)}),
        header({"a": entry("F32", [3], 0, 12)}),
        header({"a": entry("F99", [2, 3], 0, 24)}),
        header({"a": {"dtype": "F32"}}),
        header([]),
        b"\x02" + bytes(7) + b"[}",
    ],
    ids=ascii,
)
def test_a_safetensors_file_that_lies_is_refused(tmp_path, data):
    (tmp_path / "model.safetensors").write_bytes(data)
    assert refusal(tmp_path).startswith("has a damaged model.safetensors: ")


def test_numbers_of_8_bit_floats_are_refused(tmp_path):
    save_file({"a": torch.zeros(3).to(torch.float8_e4m3fn)}, tmp_path / "model.safetensors")
    assert "with numbers of type F8_E4M3; supported are BF16, " in refusal(tmp_path)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "a" * 1000, ""])
def test_names_that_do_not_fit_a_line_are_refused(tmp_path, name):
    (tmp_path / "model.safetensors").write_bytes(header({name: entry("F32", [2, 3], 0, 24)}))
    assert refusal(tmp_path).startswith("has a model.safetensors with an array named ")
    (tmp_path / "model.safetensors").unlink()
    torch.save({name: torch.zeros(3)}, tmp_path / "pytorch_model.bin")
    assert refusal(tmp_path).startswith("has a pytorch_model.bin with an array named ")


def test_a_folder_without_weights_is_refused(tmp_path):
    assert refusal(tmp_path).startswith("has no weights: none of model.safetensors, ")


def test_names_and_shapes_are_compared(tmp_path):
    save_file({name: torch.zeros(2, 3) for name in "abcdef"}, tmp_path / "model.safetensors")
    weights = opened(tmp_path)
    check_names(weights, dict.fromkeys("abcdef", (2, 3)), "FOLDER")
    expected = {**dict.fromkeys("a", (2, 3)), "b": (3, 2), "x": (1,)}
    with pytest.raises(BadCheckpoint) as caught:
        check_names(weights, expected, "FOLDER")
    assert str(caught.value) == (
        "FOLDER has weights that do not fit its config.json: missing: x; unexpected: c, d, e "
        "and 1 more; of another shape: b (2, 3) instead of (3, 2)"
    )


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_memory_holds_one_array_at_a_time(tmp_path, kind):
    tensors = {str(number): torch.full((1 << 20,), float(number)) for number in range(40)}
    if kind == "bin":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        save_file(tensors, tmp_path / "model.safetensors")
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from model_export.weights.folder import open_weights\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "weights = open_weights(Path(sys.argv[1]), 'FOLDER')\n"
        "total = sum(float(weights[name][-1]) for name in weights)\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
        "print(total, peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    total, grown = done.stdout.split()
    assert float(total) == sum(range(40))
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit < 24 << 20  # each is 4 MiB, all are 160
