"""The demo model: a small CLIP of our own, trained on pictures that the project draws itself."""

from pathlib import Path

BUNDLE = Path(__file__).parent / "bundle"
