"""From a CLIP checkpoint to the ONNX bundle that the functions run, without torch.

`checkpoint` reads a checkpoint, `towers/` writes its graphs, `verify` compares the result with
`reference`, and `write_bundle` does all of it. `demo/` is the demo model; its training needs torch.
Nothing in functions/ imports this.
"""

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
