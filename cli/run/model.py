"""Which bundle the stack runs on; a checkpoint is exported first, once.

The export runs in a process of its own: what it needs of memory goes with it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cli import ROOT
from cli.common.command import PREFIX
from cli.common.errors import RunError, UsageError
from cli.common.output import is_quiet, say
from model_export.errors import UsageError as NotExportable
from model_export.exported import checkpoint_folder, is_current, place_of
from model_export.known import hub_id

DEMO_MODEL = ROOT / "model_export" / "demo" / "bundle"
DEMO = "demo"  # what --model calls it

HUB_ID = r"[\w.-]+(/[\w.-]+)?"


def choose_model(given: str, models: Path) -> tuple[Path, str | None]:
    """The folder of the bundle, and what has to be exported into it (below `models`), if
    anything has. UsageError for what is neither bundle, checkpoint nor a hub's id."""
    if given == DEMO:
        return DEMO_MODEL, None
    folder = checkpoint_folder(given)
    if folder is None:
        try:
            model = hub_id(given)
        except NotExportable as error:
            raise UsageError(str(error)) from error
        if not re.fullmatch(HUB_ID, model):
            raise UsageError(f"{given!r} is no folder, and no id of the Hugging Face hub")
        return place_of(model, models), model
    if (folder / "model.json").is_file():
        return folder, None
    if not (folder / "config.json").is_file():
        what = "is no folder" if not folder.is_dir() else "has neither model.json nor config.json"
        raise UsageError(f"{folder} is no model bundle and no CLIP checkpoint: it {what}")
    return place_of(str(folder), models), str(folder)


def export_once(checkpoint: str, bundle: Path) -> None:
    """Export `checkpoint` into `bundle`, unless it is there and the checkpoint as it was.

    RunError when it fails: why, and what to do without it."""
    if is_current(bundle, checkpoint):
        say(f"model: {checkpoint}, as exported to {bundle}")
        return
    say(f"model: {checkpoint} is exported to {bundle} first (once)")
    command = [sys.executable, "-m", "cli", "export", checkpoint, "--quick", "--out", str(bundle)]
    if is_quiet():
        command.append("--quiet")
    code, said = _outcome(command)
    if code:
        raise RunError(
            f"{said or f'{checkpoint} could not be exported'}; --model FOLDER takes a model that "
            "you have, and --demo-model the demo model, which knows drawn scenes only"
        )


def _outcome(command: list[str]) -> tuple[int, str]:
    """The exit code, and what it said was wrong; anything else it said goes to our stderr.

    Ctrl-C is for the export, too, which then takes away what it has begun: subprocess.run
    would give it a quarter of a second for that."""
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _, errors = process.communicate()
        except KeyboardInterrupt:
            process.wait()
            raise
    *others, last = errors.splitlines() or [""]
    if not last.startswith(PREFIX):
        others, last = errors.splitlines(), ""
    for line in others:
        print(line, file=sys.stderr)
    return process.returncode, last.removeprefix(PREFIX)
