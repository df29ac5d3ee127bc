"""`python -m tools.run`: see tools/run/options.py for what it takes."""

import sys

from clipsearch import telemetry
from clipsearch.text import printable
from tools.run.errors import RunError
from tools.run.options import parse_options
from tools.run.stack import run


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
