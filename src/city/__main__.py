"""`python -m city`: the `suishenban` command."""

import sys

from city.cli import main

sys.exit(main())
