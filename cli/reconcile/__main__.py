"""`python -m cli.reconcile`: see cli/reconcile/options.py for what it takes."""

import sys

from cli.common.errors import UsageError
from cli.reconcile.options import parse_options
from cli.reconcile.plan import EmptyBucket, make_plan
from cli.reconcile.work import work
from clipsearch import telemetry
from clipsearch.errors import ClipsearchError
from clipsearch.text import printable


def main() -> int:
    """0: index and bucket agree; 1: something is pending, or broke down; 2: asked wrongly."""
    telemetry.to_terminal()
    try:
        options = parse_options(sys.argv[1:])
        plan = make_plan(options)
        if options.plan_only:
            print(plan.text(options))
            return 0
        return work(options, plan)
    except UsageError as error:
        print(f"clipsearch: {printable(str(error))}", file=sys.stderr)
        return 2
    except (ClipsearchError, EmptyBucket) as error:
        print(f"clipsearch: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("clipsearch: stopped; what is done stays, and the next run goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
