"""What a person starts by hand, from the repository's root: `python -m cli.NAME`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# functions/ is no package: functions-framework puts it at the end of the path, and so do we.
if str(ROOT / "functions") not in sys.path:
    sys.path.append(str(ROOT / "functions"))

import clipsearch  # noqa: E402, F401  turns off ONNX Runtime's telemetry
