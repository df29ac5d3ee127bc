"""From a CLIP checkpoint in PyTorch to the ONNX bundle that the functions run. Needs torch;
nothing in functions/ imports it. Run from the repository's root: `python -m model_export.NAME`."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# functions/ is no package: functions-framework puts it at the end of the path, and so do we.
if str(ROOT / "functions") not in sys.path:
    sys.path.append(str(ROOT / "functions"))

import clipsearch  # noqa: E402, F401  turns off ONNX Runtime's telemetry

# Read when huggingface_hub is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
