"""The program kiosk-notify, as its unit starts it; `python -m kiosk.notify` is the same."""

from __future__ import annotations

import sys

from kiosk.notify.daemon import main

if __name__ == "__main__":
    sys.exit(main())
