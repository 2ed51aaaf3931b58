"""Writes into a configuration which embedder its gallery was enrolled with, so that an upgrade cannot change it.

    python3 pin.py /etc/kiosk/kiosk.toml MODEL_ID

Changes one line of [models], or adds it; everything else, comments too, stays as it is. Does nothing when it is there
already, or when [models] names a folder of the admin's own.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

HEADER = re.compile(r"^[ \t]*\[[ \t]*models[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)
KEY = re.compile(r"^[ \t]*embedder[ \t]*=.*$", re.MULTILINE)
NEXT = re.compile(r"^[ \t]*\[", re.MULTILINE)


def pinned(text: str, model_id: str) -> str:
    """The text with `embedder = model_id`. Raises ValueError when that cannot be said in one line of it."""
    wanted = tomllib.loads(text)
    models = wanted.setdefault("models", {})
    if not isinstance(models, dict) or "folder" in models or models.get("embedder") == model_id:
        return text
    models["embedder"] = model_id
    line = f"embedder = {json.dumps(model_id)}"
    header = HEADER.search(text)
    if header is None:
        changed = f"{text.rstrip()}\n\n[models]\n# What the gallery was enrolled with; no upgrade changes it.\n{line}\n"
    else:
        start = header.end()
        end = found.start() if (found := NEXT.search(text, start)) else len(text)
        section = text[start:end]
        section = KEY.sub(lambda _: line, section, count=1) if KEY.search(section) else f"\n{line}{section}"
        changed = text[:start] + section + text[end:]
    try:
        right = tomllib.loads(changed) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise ValueError(f"say it by hand: [models] {line}")
    return changed


def main(file: str, model_id: str) -> int:
    """Exit status 0 when it is pinned, 2 with a line when not."""
    path = Path(file)
    try:
        text = path.read_text("utf-8")
        changed = pinned(text, model_id)
        if changed != text:
            from kiosk.system import files  # noqa: PLC0415 - a pin that is there needs no program that works

            files.rewrite(path, changed.encode())
            print(f"face-kiosk: {file}: [models] embedder is {model_id}, as before", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
