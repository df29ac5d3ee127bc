import sys

from clipsearch_cli import main

sys.exit(main())
