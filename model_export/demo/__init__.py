"""The demo model: a small CLIP of our own, trained on pictures that the project draws itself."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"  # what training leaves, in half precision
BUNDLE = Path(__file__).parent / "bundle"  # what is made of it and runs
