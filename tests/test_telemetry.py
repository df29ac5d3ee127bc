"""No library sends telemetry. ONNX Runtime would, outside of CI: it writes a device id below
~/.cache and, after some seconds, looks up a host."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "tests/golden/tiny-clip"
PATIENCE = 180  # seconds
NOT_POSSIBLE = 77

# A seccomp filter: the kernel kills the process if any thread opens a socket, also from C.
FORBID_SOCKETS = f"""
import ctypes, platform, resource, struct, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
NUMBERS = {{"x86_64": 41, "aarch64": 198}}  # of the system call
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, NUMBERS[platform.machine()]),
         (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)]  # load, compare; kill, allow
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
prctl = ctypes.CDLL(None).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0):
    sys.exit({NOT_POSSIBLE})
"""
ENCODE = """
import sys
from pathlib import Path
from clipsearch.model.encoder import Encoder
Encoder.from_folder(Path(sys.argv[1])).encode_text(["a"])
print("ready", flush=True)
sys.stdin.read()
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Runs code in an environment without CI, with `tmp_path` as home."""
    running = []

    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), str(ROOT / "functions")])
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", code, MODEL],
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": path}
                | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_an_encoder_writes_nothing_into_the_home(start: Start, tmp_path: Path) -> None:
    assert start(ENCODE).communicate(timeout=PATIENCE)[0] == "ready\n"
    assert files(tmp_path) == []
    # With telemetry it does, so the test above can fail.
    start(ENCODE, ORT_DISABLE_TELEMETRY="0").communicate(timeout=PATIENCE)
    assert any("onnxruntime" in name for name in files(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(
    (sys.platform, platform.machine()) not in [("linux", "x86_64"), ("linux", "aarch64")],
    reason="needs Linux on x86-64 or ARM",
)
def test_an_encoder_opens_no_socket(start: Start) -> None:
    """Waits as long as a process with telemetry needs to open its first socket."""
    ours = start(FORBID_SOCKETS + ENCODE)
    if ours.stdout.readline() != "ready\n":
        assert ours.wait(PATIENCE) == NOT_POSSIBLE
        pytest.skip("this kernel accepts no seccomp filter")
    talking = start(FORBID_SOCKETS + ENCODE, ORT_DISABLE_TELEMETRY="0")
    assert talking.wait(PATIENCE) == -signal.SIGSYS
    assert ours.poll() is None
    ours.communicate(timeout=PATIENCE)
    assert ours.returncode == 0


@pytest.mark.parametrize("module", ["clipsearch", "main", "model_export", "cli"])
def test_telemetry_is_off_before_anything_is_imported(start: Start, module: str) -> None:
    code = f"import os, {module}; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    assert start(code, FUNCTION_TARGET="search").communicate(timeout=PATIENCE)[0] == "1\n"


def test_the_hub_client_of_the_export_sends_no_telemetry(start: Start) -> None:
    code = "import model_export; from huggingface_hub import constants; "
    code += "print(constants.HF_HUB_DISABLE_TELEMETRY)"
    assert start(code).communicate(timeout=PATIENCE)[0] == "True\n"
