"""``python -m cryopair`` is the command ``cryopair``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
