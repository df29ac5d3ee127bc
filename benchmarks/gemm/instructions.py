"""Copies of ONNX Runtime that use fewer instructions than this processor has.

ONNX Runtime asks the processor itself, so no setting and no GLIBC_TUNABLES makes it use fewer. A
copy of its library is changed in one place: where it reads what the processor has. Everything else
is the same code. This is for measuring only.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
LIBRARY = "onnxruntime_pybind11_state*.so"


class UnknownBuild(Exception):
    """This build of ONNX Runtime has other code in that place."""


@dataclass(frozen=True, slots=True)
class Level:
    """A set of instructions. `flags`: what the processor must have. `code`: the code of ONNX
    Runtime 1.32 for Linux that reads it; `change`: what makes it find no more than this level."""

    name: str
    flags: frozenset[str]
    code: bytes = b""
    change: bytes = b""


# The best first.
LEVELS = (
    Level("AVX-512 with VNNI", frozenset({"avx512_vnni"})),
    Level(
        "AVX-512",
        frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl"}),
        # cpuid; mov r9d, edx; mov edi, ecx; mov r10d, ebx. Then edi is 0: no VNNI.
        bytes.fromhex("0fa2 4189d1 89cf 4189da"),
        bytes.fromhex("0fa2 4189d1 31ff 4189da"),
    ),
    Level(
        "AVX2",
        frozenset({"avx2"}),
        # xgetbv; mov eax, eax; shl rdx, 32; or rdx, rax; not rax; mov r8, rdx; test al, 6.
        # push 7; pop rax in place of xgetbv: the system saves the registers of AVX, no others.
        bytes.fromhex("0f01d0 89c0 48c1e220 4809c2 48f7d0 4989d0 a806"),
        bytes.fromhex("6a0758 89c0 48c1e220 4809c2 48f7d0 4989d0 a806"),
    ),
)


def levels() -> list[Level]:
    """Those of this processor, the best first. Empty where /proc/cpuinfo has no flags."""
    found = flags()
    return [level for level in LEVELS if level.flags <= found]


def flags() -> set[str]:
    if not CPU_INFO.exists():
        return set()
    lines = CPU_INFO.read_text().splitlines()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def limited(level: Level, folder: Path) -> Path:
    """Make the package onnxruntime in `folder`, with links to all files but the changed library.

    Returns `folder`, for PYTHONPATH. Raises UnknownBuild.
    """
    package = installed()
    [library] = (package / "capi").glob(LIBRARY)
    code = library.read_bytes()
    if code.count(level.code) != 1:
        raise UnknownBuild(f"{library.name} reads the processor's instructions in another way")
    capi = folder / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    for source in [*package.iterdir(), *(package / "capi").iterdir()]:
        place = folder / "onnxruntime" / source.relative_to(package)
        if source not in (package / "capi", library):
            place.symlink_to(source)
    (capi / library.name).write_bytes(code.replace(level.code, level.change))
    return folder


def installed() -> Path:
    spec = importlib.util.find_spec("onnxruntime")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
