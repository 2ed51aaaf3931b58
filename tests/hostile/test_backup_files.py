"""Backups that somebody has made or altered: each ends in a refusal of one line, nothing is restored, nothing is
written outside the home. How many inputs: attack.py.
"""

from __future__ import annotations

import json
import random
from contextlib import closing, suppress
from pathlib import Path

import pytest

from kiosk.domain.errors import KioskError
from kiosk.storage import backups, recovery
from kiosk.storage.backup_format import MAGIC, PIECE, TAG, opened
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.restoring import restore
from tests.hostile.attack import altered, attack, bent, extent
from tests.storage.conftest import a_reference


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Home, bytes, bytes]:
    """A home, and two backups of it."""
    home = Home(tmp_path / "home")
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
        recovery.make(gallery.store, home.keys.read() or b"")
        backups.to_file(home, gallery, tmp_path / "one")
        gallery.add_subject("Ben", [a_reference(2)])
        backups.to_file(home, gallery, tmp_path / "two")
    return home, (tmp_path / "one").read_bytes(), (tmp_path / "two").read_bytes()


def split(content: bytes) -> tuple[dict[str, object], list[bytes]]:
    """The header, and the sealed pieces."""
    end = len(MAGIC) + 4 + int.from_bytes(content[len(MAGIC) : len(MAGIC) + 4], "big")
    pieces = [content[at : at + PIECE + TAG] for at in range(end, len(content), PIECE + TAG)]
    return json.loads(content[len(MAGIC) + 4 : end]), pieces


def joined(header: bytes, pieces: list[bytes], length: int | None = None) -> bytes:
    return MAGIC + (len(header) if length is None else length).to_bytes(4, "big") + header + b"".join(pieces)


@extent
def test_backups(extent: float, scene: tuple[Home, bytes, bytes], tmp_path: Path) -> None:
    home, one, two = scene
    (header, pieces), (other, others) = split(one), split(two)
    path = tmp_path / "home" / "made.backup"
    before = home.database.read_bytes()

    def some(chance: random.Random) -> bytes:
        match chance.randrange(9):
            case 0:
                return bent(chance, one)
            case 1:
                return bent(chance, one[:600]) + one[600:]
            case 2:
                made = list(pieces) + chance.sample(others, 1)
                chance.shuffle(made)
                return joined(json.dumps(header).encode(), made[: chance.randrange(1, len(made) + 1)])
            case 3:
                return joined(json.dumps(chance.choice([header, other])).encode(), chance.choice([pieces, others]))
            case 4:
                length = chance.choice([0, 1, 2**31, 2**32 - 1, 1 << 20, (1 << 20) + 1])
                return joined(json.dumps(header).encode(), pieces, length)
            case 5:
                return joined(chance.choice([b"[", b'{"a":', b"9"]) * chance.randint(1, 4000), pieces)
            case 6:
                size = chance.choice([0, 1, -1, 2**40, 2**63, len(pieces[0]), 10**400])
                return joined(json.dumps({**header, "size": size}).encode(), chance.choice([[], pieces]))
            case _:
                text = json.dumps(altered(chance, header), ensure_ascii=False)
                return joined(text.encode("utf-8", "surrogatepass"), pieces)

    def body(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(KioskError), opened(path) as backup:
            backup.header.packed()
        if content in {one, two}:
            return
        with home.lock(), pytest.raises(KioskError):
            restore(home, path, lambda: "a passphrase", [], [])
        assert home.database.read_bytes() == before
        assert not list(home.folder.glob("[.a]*"))
        raise KioskError("refused, as it should")

    attack(20_000, extent, some, body, tmp_path)
