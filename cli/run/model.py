"""Which bundle the stack runs on; a checkpoint is exported first, once.

Only the export needs torch: it runs in a process, and an environment, of its own.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from cli import ROOT
from cli.common.errors import RunError, UsageError
from clipsearch.text import printable
from model_export.exported import checkpoint_folder, is_current, place_of

EXPORT_ENVIRONMENT = ".venv-export"  # as the Makefile calls it

HUB_ID = r"[\w.-]+(/[\w.-]+)?"


def choose_model(given: str, models: Path) -> tuple[Path, str | None]:
    """The folder of the bundle, and what has to be exported into it (below `models`), if
    anything has. UsageError for what is neither bundle, checkpoint nor a hub's id."""
    folder = checkpoint_folder(given)
    if folder is None:
        if not re.fullmatch(HUB_ID, given):
            raise UsageError(f"{given!r} is no folder, and no id of the Hugging Face hub")
        return place_of(given, models), given
    if (folder / "model.json").is_file():
        return folder, None
    if not (folder / "config.json").is_file():
        what = "is no folder" if not folder.is_dir() else "has neither model.json nor config.json"
        raise UsageError(f"{folder} is no model bundle and no CLIP checkpoint: it {what}")
    return place_of(str(folder), models), str(folder)


def export_once(checkpoint: str, bundle: Path) -> None:
    """Export `checkpoint` into `bundle`, unless it is there and the checkpoint as it was.

    RunError when it fails; the export itself has then said why."""
    if is_current(bundle, checkpoint):
        print(printable(f"model: {checkpoint}, as exported to {bundle}"), flush=True)
        return
    print(printable(f"model: {checkpoint} is exported to {bundle} first (once)"), flush=True)
    command = [_python_with_torch(), "-m", "model_export", checkpoint, "--out", str(bundle)]
    if _exit_code(command):
        raise RunError(f"{checkpoint} could not be exported")


def _exit_code(command: list[str]) -> int:
    """Ctrl-C is for the export, too, which then takes away what it has begun: subprocess.run
    would give it a quarter of a second for that."""
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def _python_with_torch() -> str:
    """This interpreter if it has torch, otherwise that of the environment for exports."""
    if importlib.util.find_spec("torch"):
        return sys.executable
    if not (ROOT / "Makefile").exists():
        raise RunError("an export needs torch: pip install torch transformers onnx")
    target = f"{EXPORT_ENVIRONMENT}/.made"
    try:
        made = subprocess.run(["make", "--silent", target], cwd=ROOT).returncode == 0
    except OSError as exc:
        raise RunError(f"make, which makes {EXPORT_ENVIRONMENT}: {exc.strerror}") from exc
    if not made:
        raise RunError(f"{EXPORT_ENVIRONMENT}, which an export needs, could not be made")
    return str(ROOT / EXPORT_ENVIRONMENT / "bin" / "python")
