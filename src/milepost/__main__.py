"""``python -m milepost`` is the command."""

import sys

from milepost.cli import main

sys.exit(main())
