"""`python -m localzure`: the same as the `localzure` command."""

from __future__ import annotations

import sys

from localzure.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
