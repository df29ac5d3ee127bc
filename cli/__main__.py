"""`python -m cli` is the command `clipsearch` from a checkout."""

import sys

from cli.main import main

if __name__ == "__main__":
    sys.exit(main())
