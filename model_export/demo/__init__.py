"""The demo model: a small CLIP, trained on pictures that the project draws."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"  # the trained weights, in half precision
BUNDLE = Path(__file__).parent / "bundle"  # the export of the weights
