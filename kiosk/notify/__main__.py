"""The program kiosk-notify, which its unit starts. `python -m kiosk.notify` runs the same."""

from __future__ import annotations

import sys

from kiosk.notify.daemon import main

if __name__ == "__main__":
    sys.exit(main())
