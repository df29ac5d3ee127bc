"""`python -m tools.upload`: see tools/upload/options.py for what it takes."""

import sys

from tools.upload.command import run_command
from tools.upload.engine import upload
from tools.upload.folder import FolderSource
from tools.upload.options import parse_options


def main() -> int:
    options = parse_options(sys.argv[1:])
    return upload(FolderSource(options.folder), options.to, options.jobs)


if __name__ == "__main__":
    sys.exit(run_command(main))
