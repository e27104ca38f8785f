"""``python -m cryopair`` is the command ``cryopair``."""

import sys

from .cli import main

sys.exit(main())
