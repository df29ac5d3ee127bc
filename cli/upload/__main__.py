"""`python -m cli.upload`: see cli/upload/options.py for what it takes."""

import sys

from cli.common.command import run_command
from cli.upload.engine import upload
from cli.upload.folder import FolderSource
from cli.upload.options import parse_options


def main() -> int:
    options = parse_options(sys.argv[1:])
    return upload(FolderSource(options.folder), options.to, options.jobs)


if __name__ == "__main__":
    sys.exit(run_command(main))
