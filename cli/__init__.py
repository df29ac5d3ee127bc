"""The command `clipsearch`; from the repository's root: `python -m cli`."""

import sys
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parent.parent

# functions/ is not a package. functions-framework puts it at the end of the path; so do we.
if str(ROOT / "functions") not in sys.path:
    sys.path.append(str(ROOT / "functions"))

# Index, thumbnails and models. A checkout keeps them beside the code.
DATA = (
    ROOT / "build"
    if (ROOT / "pyproject.toml").exists()
    else platformdirs.user_data_path("clipsearch", appauthor=False)
)

import clipsearch  # noqa: E402, F401  turns off ONNX Runtime's telemetry
