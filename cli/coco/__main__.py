"""`python -m cli.coco`: see cli/coco/options.py for what it takes."""

import sys
import threading

from cli.coco.annotations import read_records
from cli.coco.archive import find_annotations
from cli.coco.client import Client
from cli.coco.options import check_count, parse_options
from cli.coco.source import CocoSource
from cli.common.command import run_command
from cli.upload.engine import upload


def main() -> int:
    options = parse_options(sys.argv[1:])
    stop = threading.Event()
    client = Client(stop)
    annotations = find_annotations(options.annotations, client, options.cache)
    records = read_records(annotations, options.split)
    count = check_count(options.count, len(records), options.split)
    source = CocoSource(records[:count], f"{options.images}/{options.split}", client)
    return upload(source, options.to, options.jobs, stop)


if __name__ == "__main__":
    sys.exit(run_command(main))
