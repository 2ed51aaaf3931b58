"""Where the recipes find what they begin with and what they write for the kiosk."""

from __future__ import annotations

import os
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2]
"""The shipped networks."""
SHARED = Path(os.environ.get("KIOSK_SHARED") or MODELS.parents[1] / "shared")
"""The data folder: KIOSK_SHARED, else ../shared beside the checkout."""
