"""The zip file that torch.save writes -> where each of its records lies.

A record is an uncompressed file in the zip: `data.pkl`, `byteorder`, and `data/0`, `data/1`, …,
one for each storage of numbers. All stand in one folder of any name.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6 begins with it
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
LOCAL_SIGNATURE = b"PK\x03\x04"
ENCRYPTED = 0x1
UTF8 = 0x800

# OpenAI's files by the ids under which the Hugging Face hub has them for transformers.
OPENAI = {
    "ViT-B-32.pt": "openai/clip-vit-base-patch32",
    "ViT-B-16.pt": "openai/clip-vit-base-patch16",
    "ViT-L-14.pt": "openai/clip-vit-large-patch14",
    "ViT-L-14-336px.pt": "openai/clip-vit-large-patch14-336",
}

TO_SAFETENSORS = (
    "convert it to safetensors with PyTorch, on a machine where it may run any program: "
    "safetensors.torch.save_file(torch.load(FILE), 'model.safetensors')"
)


class Damaged(Exception):
    """The file is not what its own records say; the message is the reason."""


class Refused(Exception):
    """The file may be whole, but is not read here; the message is the reason and what to do."""

    def __init__(self, reason: str, advice: str = TO_SAFETENSORS) -> None:
        super().__init__(f"{reason}; {advice}")


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes `offset` to `offset + size` of the file; `crc` is 0 if torch left it out."""

    offset: int
    size: int
    crc: int


def find_records(path: Path) -> dict[str, Record]:
    """The records by their names inside the one folder. Damaged, Refused, OSError."""
    with path.open("rb") as file:
        if file.read(len(LEGACY)) == LEGACY:
            raise Refused("it has the format that torch.save wrote before PyTorch 1.6")
        try:
            entries = zipfile.ZipFile(file).infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as exc:
            raise Damaged("it is not a complete zip file") from exc
        _refuse_torchscript(path.name, {_split(entry)[1] for entry in entries})
        size = path.stat().st_size
        records: dict[str, Record] = {}
        folders = set()
        for entry in entries:
            folder, name = _split(entry)
            folders.add(folder)
            if name in records:
                raise Damaged(f"it has two records {_shown(name)}")
            records[name] = _find(file, entry, size)
    if len(folders) != 1 or "data.pkl" not in records:
        raise Damaged("it is a zip file, but torch.save did not write it: data.pkl is missing")
    return records


def _refuse_torchscript(file: str, names: set[str]) -> None:
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        hub_id = OPENAI.get(file, "for example openai/clip-vit-base-patch32")
        raise Refused(
            "it is a TorchScript archive, as OpenAI's own .pt files are",
            f"use the id of the same model on the Hugging Face hub ({hub_id})",
        )


def _split(entry: zipfile.ZipInfo) -> tuple[str, str]:
    """The folder, and the name in it."""
    folder, _, name = entry.orig_filename.partition("/")
    return folder, name


def _find(file: BinaryIO, entry: zipfile.ZipInfo, file_size: int) -> Record:
    """Compare the directory at the file's end with the header before the record."""
    name = _shown(entry.orig_filename)
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & ENCRYPTED:
        raise Refused(f"its record {name} is compressed or encrypted")
    if entry.file_size != entry.compress_size or entry.header_offset < 0:
        raise Damaged(f"its record {name} has two sizes")
    if entry.header_offset > file_size:  # 64 bits: more than seek() takes
        raise Damaged(f"its record {name} lies behind the end of the file")
    file.seek(entry.header_offset)
    header = file.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size:
        raise Damaged(f"its record {name} lies behind the end of the file")
    signature, _, flags, method, *_, name_size, extra_size = LOCAL_HEADER.unpack(header)
    local_name = file.read(name_size).decode("utf-8" if flags & UTF8 else "cp437", "replace")
    if signature != LOCAL_SIGNATURE or method or local_name != entry.orig_filename:
        raise Damaged(f"its record {name} is not where its directory says")
    offset = entry.header_offset + LOCAL_HEADER.size + name_size + extra_size
    if offset + entry.file_size > file_size:
        raise Damaged(f"its record {name} ends behind the end of the file")
    return Record(offset, entry.file_size, entry.CRC)


def _shown(name: str) -> str:
    return ascii(name[:80])
