"""`python -m tools.coco`: see tools/coco/options.py for what it takes."""

import sys
import threading

from tools.coco.annotations import read_records
from tools.coco.archive import find_annotations
from tools.coco.client import Client
from tools.coco.options import check_count, parse_options
from tools.coco.source import CocoSource
from tools.upload.command import run_command
from tools.upload.engine import upload


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
