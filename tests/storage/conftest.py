"""A home with a gallery, and real file systems that are full or read-only where this machine lets us mount them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.people import NewReference
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home

if TYPE_CHECKING:
    from kiosk.domain.face import Vector
    from kiosk.domain.people import Template

MODEL = "model-a"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def a_template(seed: int) -> Template:
    """128 signed bytes with the spread of real ones, the same for the same seed. It is not turned."""
    return np.random.default_rng(seed).integers(-48, 49, 128, dtype=np.int8)


def a_vector(seed: int) -> Vector:
    """The same numbers as an embedder gives them."""
    return a_template(seed).astype(np.float32)


def a_reference(seed: int, model_id: str = MODEL) -> NewReference:
    """A reference to be enrolled."""
    return NewReference(a_vector(seed), model_id, 0.75)


def turned(gallery: Gallery, *seeds: int) -> list[bytes]:
    """What the gallery stores of these references."""
    turning = gallery.enrolled(MODEL).turning
    return [turning.template(a_vector(seed)).tobytes() for seed in seeds]


def a_decision(grant_id: str, outcome: str = "granted") -> AuditRecord:
    """A decision as the kiosk records it."""
    return AuditRecord(AuditKind.DECISION, NOON, grant_id, "subject-1", outcome, "matched", {"score": 0.5, "pad": None})


def an_outcome(grant_id: str, outcome: str = "released") -> AuditRecord:
    """The door's answer as the kiosk records it."""
    return AuditRecord(AuditKind.OUTCOME, NOON + timedelta(seconds=1), grant_id, "subject-1", outcome)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that is not there yet."""
    return Home(tmp_path / "home")


@pytest.fixture
def gallery(home: Home) -> Iterator[Gallery]:
    """An empty gallery in that home."""
    opened = open_gallery(home)
    yield opened
    opened.close()


Mount = Callable[..., None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A file system of 1 MiB of its own, and a function that mounts it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")

    def mount(*options: str) -> None:
        subprocess.run(["mount", *options, "tmpfs", str(folder)], check=True, capture_output=True)

    try:
        mount("-t", "tmpfs", "-o", "size=1m")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody mount: {error.stderr.decode().strip()}")
    yield folder, mount
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
