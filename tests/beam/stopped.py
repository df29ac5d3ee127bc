"""`clipsearch embed` with small batches and segments, so that a test can end it in the middle."""

import sys

from cli.embed import embedding
from cli.main import main

if __name__ == "__main__":
    embedding.SEGMENT = 8
    embedding.LARGEST_BATCH = (4, 10**9, 10**9)
    sys.exit(main())
