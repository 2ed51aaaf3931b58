"""Prints the model_id of the embedder that the installed version runs with a configuration: preinst asks it of the old
version. Prints nothing for networks of the admin's own, which no upgrade touches."""

from __future__ import annotations

import sys
from pathlib import Path

from kiosk import config
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder

if __name__ == "__main__":
    models = config.read(Path(sys.argv[1])).models
    if models.folder is None:
        print(Manifest(default_folder()).entry(models.embedder, EmbedderEntry).model_id)
