"""What is read of PyTorch files without torch, and which damaged ones are refused."""

from __future__ import annotations

import contextlib
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_export.errors import BadCheckpoint
from model_export.weights.named_arrays import Weights
from model_export.weights.pytorch_file import read_pytorch
from model_export.weights.pytorch_zip import LEGACY
from tests.support import torch_files
from tests.support.torch_files import dictionary, storage, tensor, write_arrays, write_pickle

ARRAYS = {
    "weight": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    "half": np.arange(5, dtype=np.float16) / 3,
    "scale": np.array(2.5, np.float64),
    "ids": np.arange(-2, 4, dtype=np.int64).reshape(2, 3),
    "mask": np.array([True, False]),
}


def read(path: Path) -> dict[str, np.ndarray]:
    return dict(Weights(read_pytorch(path, "FOLDER")))


def refusal(path: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        read(path)
    message = str(caught.value)
    assert message.isprintable()
    return message.removeprefix(f"FOLDER has a damaged {path.name}: ").removeprefix(
        f"FOLDER has a {path.name} that is not supported: "
    )


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        wanted = array if array.dtype.kind in "iub" else array.astype(np.float32)
        assert found[name].dtype == wanted.dtype
        np.testing.assert_array_equal(found[name], wanted, strict=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_arrays(tmp_path / "pytorch_model.bin", ARRAYS)


def test_floats_become_float32_and_integers_stay(file):
    assert_equal(read(file), ARRAYS)


def test_shapes_are_known_without_reading(file):
    weights = Weights(read_pytorch(file, "FOLDER"))
    file.unlink()
    assert {name: weights.shape(name) for name in weights} == {
        name: array.shape for name, array in ARRAYS.items()
    }
    with pytest.raises(BadCheckpoint, match=r"^FOLDER has a pytorch_model.bin that cannot be read"):
        weights["weight"]


def test_a_storage_may_be_shared_and_cut_into_strided_parts(tmp_path):
    values = np.arange(6, dtype=np.float32)
    path = write_pickle(
        tmp_path / "a.bin",
        dictionary(
            whole=tensor(storage(6), (2, 3), (3, 1)),
            turned=tensor(storage(6), (3, 2), (1, 3)),
            last=tensor(storage(6), (2,), (1,), offset=4),
            every_second=tensor(storage(6), (3,), (2,), offset=1),
            same=tensor(storage(6), (4,), (0,)),
            one=tensor(storage(6), (1, 1), (10**30, 7), offset=5),
        ),
        values.tobytes(),
    )
    whole = values.reshape(2, 3)
    expected = {
        "whole": whole,
        "turned": whole.T,
        "last": values[4:],
        "every_second": values[1::2],
        "same": np.zeros(4, np.float32),
        "one": values[5:].reshape(1, 1),
    }
    assert_equal(read(path), expected)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (tensor(storage(6), (2, 4), (4, 1)), "larger than its storage"),
        (tensor(storage(6), (6,), (1,), offset=1), "larger than its storage"),
        (tensor(storage(6), (2,), (6,)), "larger than its storage"),
        (tensor(storage(6), (10**6, 10**6), (0, 0)), "larger than its storage"),
        (tensor(storage(6), (10**70,), (0,)), "larger than its storage"),
        (tensor(storage(6), (2,), (-1,), offset=3), "a negative size"),
        (tensor(storage(6), (2,), (1,), offset=-1), "a negative size"),
        (tensor(storage(6), (-2,), (1,)), "a negative size"),
        (tensor(storage(6), (2, 2), (1,)), "impossible dimensions"),
        (tensor(storage(6), (1,) * 40, (1,) * 40), "impossible dimensions"),
        (tensor(storage(6), (0, 10**70), (1, 1)), "a tensor without numbers"),
        (tensor(storage(7), (2,), (1,)), "another size than its pickle says"),
        (tensor(storage(6, "1"), (2,), (1,)), "its record data/'1' is missing"),
        (tensor(storage(6, "../data.pkl"), (2,), (1,)), "is missing"),
        (tensor(storage(6, kind="LongStorage"), (2,), (1,)), "another size than its pickle says"),
        (tensor(storage(6), (2,), (1,), more=b"}"), "more than numbers in a storage"),
    ],
)
def test_every_part_lies_inside_its_storage(tmp_path, part, reason):
    assert reason in refusal(write_pickle(tmp_path / "a.bin", dictionary(a=part)))


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_that_is_cut_is_refused(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert refusal(file) == "it is not a complete zip file"


def test_a_record_of_other_bytes_is_refused(file):
    data = file.read_bytes()
    assert data.count(ARRAYS["weight"].tobytes()) == 1
    changed = ARRAYS["weight"] + 1
    file.write_bytes(data.replace(ARRAYS["weight"].tobytes(), changed.tobytes()))
    assert refusal(file) == "a checksum is wrong"


def test_records_that_are_swapped_in_the_directory_are_refused(tmp_path):
    arrays = {"a": np.zeros(6, np.float32), "b": np.ones(6, np.float32)}
    path = write_arrays(tmp_path / "a.bin", arrays)
    start, directory = split_directory(path)
    for old, new in ((b"data/0", b"data/X"), (b"data/1", b"data/0"), (b"data/X", b"data/1")):
        directory = directory.replace(old, new)
    path.write_bytes(start + directory)
    assert "is not where its directory says" in refusal(path)


def test_a_directory_that_lies_about_places_and_sizes_is_refused(file):
    start, directory = split_directory(file)
    for place, value in ((20, 1 << 30), (24, 1 << 30), (42, 1 << 30), (10, 8), (8, 1)):
        kind = "<I" if place > 12 else "<H"
        lying = bytearray(directory)
        struct.pack_into(kind, lying, place, value)
        file.write_bytes(start + lying)
        assert refusal(file)


def test_a_size_beyond_the_file_is_refused_before_memory_is_taken(tmp_path):
    count = 1 << 28  # float32: 1 GiB
    part = tensor(storage(count), (count,), (1,))
    path = write_pickle(tmp_path / "a.bin", dictionary(a=part), bytes(24))
    start, directory = split_directory(path)
    lying = bytearray(directory)
    entry = lying.find(b"archive/data/0") - 46  # the fixed part of an entry
    struct.pack_into("<II", lying, entry + 20, count * 4, count * 4)
    path.write_bytes(start + lying)
    with pytest.raises(BadCheckpoint, match="'archive/data/0' ends behind the end of the file"):
        read_pytorch(path, "FOLDER")


def split_directory(path: Path) -> tuple[bytes, bytes]:
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return data[: archive.start_dir], data[archive.start_dir :]


def test_a_name_that_is_there_twice_is_refused(file):
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data/0", b"another")
    assert refusal(file) == "it has two records 'data/0'"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_compressed_records_are_refused(tmp_path, method):
    path = torch_files.write_zip(
        tmp_path / "a.bin", {"data.pkl": dictionary() + bytes(10**6)}, compression=method
    )
    assert refusal(path).startswith("its record 'archive/data.pkl' is compressed or encrypted; ")


def test_big_endian_files_are_read(tmp_path):
    values = np.arange(6, dtype=">f4")
    records = {
        "data.pkl": dictionary(a=tensor(storage(6), (6,), (1,))),
        "data/0": values.tobytes(),
    }
    path = torch_files.write_zip(tmp_path / "a.bin", {**records, "byteorder": b"big"})
    assert_equal(read(path), {"a": values.astype(np.float32)})
    torch_files.write_zip(path, {**records, "byteorder": b"middle"})
    assert refusal(path) == "its byteorder is b'middle'; little or big is allowed"


def test_records_whose_checksum_torch_left_out_are_read(file):
    start, directory = split_directory(file)
    place = 0
    directory_bytes = bytearray(directory)
    while (place := directory_bytes.find(b"PK\x01\x02", place)) >= 0:
        struct.pack_into("<I", directory_bytes, place + 16, 0)
        place += 4
    file.write_bytes(start + directory_bytes)
    assert_equal(read(file), ARRAYS)


def test_zip64_is_read(tmp_path):
    path = tmp_path / "a.bin"
    with zipfile.ZipFile(path, "w") as archive:
        pickle = dictionary(a=tensor(storage(6), (6,), (1,)))
        for name, data in {"data.pkl": pickle, "data/0": bytes(24)}.items():
            with archive.open(f"archive/{name}", "w", force_zip64=True) as record:
                record.write(data)
    assert_equal(read(path), {"a": np.zeros(6, np.float32)})


def test_a_place_of_64_bits_is_refused(file):
    """Larger than what seek() takes."""
    data = file.read_bytes()
    begin = data.rindex(b"PK\x05\x06")
    end = bytearray(data[begin:])
    size, start = struct.unpack_from("<2I", end, 12)
    directory = bytearray(data[start : start + size])
    last = directory.rindex(b"PK\x01\x02")
    struct.pack_into("<I", directory, last + 42, 0xFFFFFFFF)  # it follows in the extra field
    extra = struct.pack("<2HQ", 1, 8, 2**64 - 1)
    struct.pack_into("<H", directory, last + 30, len(extra))
    (name,) = struct.unpack_from("<H", directory, last + 28)
    directory = directory[: last + 46 + name] + extra
    struct.pack_into("<I", end, 12, len(directory))
    file.write_bytes(data[:start] + directory + end)
    assert "lies behind the end of the file" in refusal(file)


def test_what_is_no_file_of_torch_save_is_said_with_the_way_out(tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    path.write_bytes(LEGACY + bytes(100))
    assert refusal(path).startswith(
        "it has the format that torch.save wrote before PyTorch 1.6; convert it to safetensors"
    )
    torch_files.write_zip(path, {"data.pkl": b"", "code/model.py": b"", "constants.pkl": b""})
    assert refusal(path) == (
        "it is a TorchScript archive, as OpenAI's own .pt files are; use the id of the same model "
        "on the Hugging Face hub (openai/clip-vit-base-patch32)"
    )
    torch_files.write_zip(path, {"word/document.xml": b""})
    assert refusal(path).startswith("it is a zip file, but torch.save did not write it")


EDITS = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=3)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, cut=st.integers(0, 40))
def test_a_changed_file_gives_the_same_arrays_or_a_refusal(file, edits, cut):
    original = file.read_bytes()
    data = bytearray(original)
    for place, value in edits:
        data[place % len(data)] = value
    path = file.with_name("changed.bin")
    path.write_bytes(data[: len(data) - max(0, cut - 30)])
    with contextlib.suppress(BadCheckpoint):
        assert_equal(read(path), ARRAYS)
