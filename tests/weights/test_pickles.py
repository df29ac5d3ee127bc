"""No pickle runs anything, takes memory or time beyond its own size, or gives but arrays."""

from __future__ import annotations

import contextlib
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_export.errors import BadCheckpoint
from model_export.weights.named_arrays import Weights
from model_export.weights.pytorch_file import read_pytorch
from model_export.weights.pytorch_pickle import LARGEST_PICKLE
from tests.support.torch_files import (
    ORDERED_DICT,
    dictionary,
    number,
    storage,
    tensor,
    text,
    tuple_of,
    write_arrays,
    write_pickle,
)

TENSOR = tensor(storage(6), (2, 3), (3, 1))
GOOD = dictionary(a=TENSOR, b=TENSOR)


class Calls:
    """Pickled as a call of `function`, as an attacker would write it."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def refused(tmp_path: Path):
    def run(data: bytes) -> str:
        with pytest.raises(BadCheckpoint) as caught:
            read_pytorch(write_pickle(tmp_path / "pytorch_model.bin", data), "FOLDER")
        assert str(caught.value).isprintable()
        return str(caught.value)

    return run


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [exec, eval, __import__, getattr, open, pickle.loads])
def test_no_function_is_called(refused, tmp_path, protocol, function):
    victim = tmp_path / "written"
    call = Calls(function, f"__import__('pathlib').Path({str(victim)!r}).touch()")
    assert "not supported" in refused(pickle.dumps({"a": call}, protocol))
    assert not victim.exists()


def test_the_name_and_the_way_out_are_said(refused):
    assert refused(dictionary(a=b"cposix\nsystem\n" + tuple_of(text("true")) + b"R")) == (
        "FOLDER has a pytorch_model.bin that is not supported: its pickle names posix.system; only "
        "plain tensors are read; convert it to safetensors with PyTorch, on a machine where it may "
        "run any program: safetensors.torch.save_file(torch.load(FILE), 'model.safetensors')"
    )


@pytest.mark.parametrize(
    "name",
    [
        "torch\nload",
        "torch.serialization\nload",
        "torch._utils\n_rebuild_parameter",
        "torch._utils\n_rebuild_tensor_v2.__globals__",
        "torch._utils\n_rebuild_tensor_v3",
        "torch\nFloatStorage.from_file",
        "torch.storage\nUntypedStorage",
        "collections\nOrderedDict.fromkeys",
        "collections\nOrderedDict.__reduce__",
        "collections\ndefaultdict",
        "numpy.core.multiarray\n_reconstruct",
        "builtins\ngetattr",
        "__builtin__\neval",
        "torch FloatStorage\n",
        "\n",
        "a" * 10_000 + "\nb",
        "os\x1b[31m\nsystem\x07",
        "os\\o\nsystem",  # no escape: pickletools warns
    ],
)
def test_every_other_name_is_refused(refused, name):
    assert "its pickle names " in refused(dictionary(a=f"c{name}\n)R".encode()))


@pytest.mark.parametrize(
    "value",
    [
        b"\x8c\x02os\x8c\x06system\x93",  # STACK_GLOBAL
        b"\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93",
        b"(ios\nsystem\n",  # INST
        b"(ccollections\nOrderedDict\no",  # OBJ
        b"ccollections\nOrderedDict\n)\x81",  # NEWOBJ
        b"\x82\x01",  # EXT1
        b"Pname\n",  # PERSID
        b"S'a'\n",
        b"\x96" + (1 << 60).to_bytes(8, "little"),  # BYTEARRAY8 of an exbibyte
        b"\x8d" + (1 << 60).to_bytes(8, "little"),  # BINUNICODE8
        b"B\xff\xff\xff\xff",
        b"\x8b\xff\xff\xff\x7f",  # LONG4
        b"L" + b"9" * 100_000 + b"L\n",
        b"\x95" + (1 << 60).to_bytes(8, "little"),  # FRAME
        text("print") + b")R",
        b"})R",
        b"ctorch\nFloatStorage\n)R",
        b"ctorch\nFloatStorage\n" + tuple_of(number(1 << 40)) + b"R",
        b"ccollections\nOrderedDict\n" + tuple_of(b"]") + b"R",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R",
        b"ctorch._utils\n_rebuild_tensor_v2\n}R",
        b"ctorch._utils\n_rebuild_tensor_v2\n" + tuple_of(*[number(1)] * 6) + b"R",
        tuple_of(*[text("storage")] * 5) + b"Q",
        tuple_of(text("storage"), ORDERED_DICT) + b"Q",
        text("0") + b"Q",
        tuple_of(text("storage"), b"ccollections\nOrderedDict\n", text("0"), text("cpu"), number(6))
        + b"Q",
        TENSOR + b"}b",  # BUILD changes a tensor
        b"ccollections\nOrderedDict\n}b",
        tensor(TENSOR, (6,), (1,)),
        tensor(storage(6), (True,), (1,)).replace(number(1), b"\x88", 1),
        text("text"),
        number(3),
        b"N",
        b"]",
        b"h\x07",  # BINGET of what was never put
        b"j\xff\xff\xff\xff",
        b"000",
        b"ttt",
        b"(((((",
        b"",
    ],
    ids=ascii,
)
def test_every_other_instruction_is_refused(refused, value):
    refused(b"\x80\x02}(" + text("a") + value + b"u.")


@pytest.mark.parametrize("data", [b"", b".", b"\x80\x02", b"\x80\x02N.", b"\x80\x02].", GOOD[:-1]])
def test_what_is_no_dictionary_is_refused(refused, data):
    refused(data)


def test_a_place_in_the_memo_takes_no_memory(tmp_path):
    """pickle.Unpickler would make a list of four thousand million entries."""
    value = TENSOR + b"r\xff\xff\xff\xff"
    path = write_pickle(tmp_path / "a.bin", dictionary(a=value, b=b"j\xff\xff\xff\xff"))
    assert list(Weights(read_pytorch(path, "FOLDER"))) == ["a", "b"]


def doubled(start: bytes, times: int = 5000) -> bytes:
    """A pair of itself, `times` deep: to look at all of it would never end."""
    return start + b"q\x00h\x00\x86" * times


@pytest.mark.parametrize(
    "value",
    [
        doubled(b")"),
        b"}" + doubled(b")") + b"Ns",  # as a key: its hash
        doubled(b")") + b"Q",
        b"ccollections\nOrderedDict\n" + doubled(b")") + b"R",
        b"ctorch._utils\n_rebuild_tensor_v2\n" + doubled(b")") + b"R",
        b")" + b"\x85" * 500_000,
        b"(" * 500_000,
        b"}" + (b"q\x00" + text("a") + b"h\x00s") * 1000,  # holds itself
    ],
    ids=["value", "key", "storage", "call", "tensor", "deep", "marks", "circle"],
)
def test_nesting_ends_at_once(refused, value):
    refused(dictionary(a=value))


def test_a_large_pickle_is_not_read(refused):
    assert f"more than the {LARGEST_PICKLE} allowed" in refused(bytes(LARGEST_PICKLE + 1))


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "\ud800", "a" * 1000])
def test_names_stay_in_one_line_of_messages(refused, name):
    encoded = name.encode("utf-8", "surrogatepass")
    key = b"X" + len(encoded).to_bytes(4, "little") + encoded
    refused(b"\x80\x02}" + key + number(1) + b"s.")


def test_attributes_of_a_state_dict_are_passed_over(tmp_path):
    metadata = b"}" + text("_metadata") + ORDERED_DICT + text("") + b"}" + text("version")
    data = b"\x80\x02" + ORDERED_DICT + text("a") + TENSOR + b"s" + metadata + number(1) + b"sssb."
    path = write_pickle(tmp_path / "a.bin", data)
    assert list(read_pytorch(path, "FOLDER")) == ["a"]


OPCODES = st.sampled_from([opcode.code.encode("latin-1") for opcode in pickletools.opcodes])
PIECES = st.sampled_from(
    [TENSOR, storage(6), ORDERED_DICT, text("a"), number(1), tuple_of(number(2)), b"}", b"]", b"("]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(OPCODES | PIECES | st.binary(max_size=3), max_size=12),
    places=st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 255)), max_size=3),
)
def test_any_pickle_gives_arrays_or_a_refusal(tmp_path, pieces, places):
    changed = bytearray(GOOD)
    for place, value in places:
        changed[place : place + 1] = bytes([value])
    middle = len(changed) // 2
    path = tmp_path / "changed.bin"
    for data in (bytes(changed[:-2]) + b"".join(pieces) + b"u.",
                 bytes(changed[:middle]) + b"".join(pieces) + bytes(changed[middle:])):  # fmt: skip
        with contextlib.suppress(BadCheckpoint):
            weights = Weights(read_pytorch(write_pickle(path, data), "FOLDER"))
            assert all(isinstance(weights[name], np.ndarray) for name in weights)


def test_a_pickle_swapped_for_another_is_refused(tmp_path):
    """The checksum of the zip belongs to the pickle that was written."""
    path = write_arrays(tmp_path / "a.bin", OrderedDict(a=np.zeros(6, np.float32)))
    with zipfile.ZipFile(path) as archive:
        old = archive.read("archive/data.pkl")
    new = old.replace(text("a"), text("b"))
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(BadCheckpoint, match="the checksum of a record is wrong"):
        read_pytorch(path, "FOLDER")
