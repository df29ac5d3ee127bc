"""The installed command: puts the folder `tree` beside this file on its own path, and runs it."""

import sys
from pathlib import Path

TREE = Path(__file__).parent / "tree"


def main() -> int:
    sys.path.insert(0, str(TREE))
    from cli.main import main as command

    return command()
