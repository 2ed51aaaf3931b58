"""QR codes for people: into a file to be printed, or drawn on a terminal. A code is a secret: the file is the owner's
alone, and nothing else prints it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import segno

from kiosk.cli.console import draw, draws
from kiosk.domain.errors import KioskError, os_trouble
from kiosk.system.files import replace

SCALE = 10
"""Pixels (PNG) or user units (SVG) of a module: a person's code is 330 pixels wide, the longest pass 570."""
QUIET = 4
"""Modules of white around a code (ISO/IEC 18004)."""
KINDS = (".png", ".svg")
F = TypeVar("F", bound=Callable[..., object])


def code_options(command: F) -> F:
    """Decorator: --out and --show."""
    out = click.option(
        "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write it as .png or .svg."
    )
    return out(click.option("--show", is_flag=True, help="Draw it on this terminal.")(command))


def check_place(out: Path | None, show: bool) -> None:
    """Before a code is made: raises click.UsageError, KioskError where it could be shown nowhere."""
    if (out is None) is not show:
        raise click.UsageError("give --out FILE, or --show")
    if out is None:
        draws()
    elif out.suffix.lower() not in KINDS:
        raise click.UsageError(f"{out}: the file's name ends in {' or '.join(KINDS)}")
    elif not out.parent.is_dir():
        raise KioskError(f"{out.parent}: there is no such folder")
    elif not os.access(out.parent, os.W_OK | os.X_OK):
        # Before a new code makes the old one void. Root has become the home's owner by now.
        raise KioskError(f"{out.parent}: this user may write nothing there: name another folder, or use --show")


def hand_out(text: str, out: Path | None) -> None:
    """Writes the code into a file, or draws it. Error correction M: 15% may be dirty or worn. Raises KioskError."""
    code = segno.make(text, error="m", micro=False)
    if out is None:
        draw([[bool(module) for module in row] for row in code.matrix_iter(border=QUIET)])
        return
    content = io.BytesIO()
    code.save(content, kind=out.suffix.lower().removeprefix("."), scale=SCALE, border=QUIET)
    try:
        replace(out, content.getvalue())
    except OSError as error:
        raise KioskError(f"the code cannot be written: {os_trouble(error)}") from error
