"""`python -m cli.run`: see cli/run/options.py for what it takes."""

import sys

from cli.common.errors import RunError
from cli.run.options import parse_options
from cli.run.stack import run
from clipsearch import telemetry
from clipsearch.text import printable


def main() -> int:
    telemetry.to_terminal()
    try:
        run(parse_options(sys.argv[1:]))
    except RunError as error:
        print(f"clipsearch: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:  # before anything was started
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
