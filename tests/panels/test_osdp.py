"""OSDP only: pairing, keys and installed files. tests/contract/test_panels.py tests the rest."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import config, plugins
from kiosk.domain.errors import LockError
from kiosk.domain.ports.panel import Turn
from kiosk.panels import osdp
from kiosk.panels.osdp import OsdpPanel, read_key
from kiosk.testing.panel_rig import wait_until
from tests.control_panel import DEFAULT_KEY, KEY, Attended, ControlPanel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(tmp_path: Path) -> OsdpPanel.Options:
    return OsdpPanel.Options(device=str(tmp_path / "line"), key_file=str(tmp_path / "key"))


@pytest.fixture
def installing(tmp_path: Path) -> Iterator[ControlPanel]:
    """A panel in install mode: it knows its key, and sets it at a reader that has none."""
    far = ControlPanel(tmp_path / "line", KEY, install=True)
    yield far
    far.hang_up()


def test_a_panel_sets_the_key_and_comes_back_with_it(
    options: OsdpPanel.Options, installing: ControlPanel, tmp_path: Path
) -> None:
    attended = Attended(installing)
    assert OsdpPanel.pair(options, 30.0)
    attended.dies()
    key = tmp_path / "key"
    assert (read_key(key), stat.S_IMODE(key.stat().st_mode)) == (KEY, 0o600)
    installing.restart()
    panel = OsdpPanel(options)
    wait_until(lambda: panel.turn(None) is Turn.ASKED, installing.turn)
    panel.close()


def test_a_key_that_is_there_is_not_replaced(options: OsdpPanel.Options, installing: ControlPanel) -> None:
    Path(options.key_file).write_text("the old one")
    with pytest.raises(LockError, match="there is a key already"):
        OsdpPanel.pair(options, 30.0)
    assert Path(options.key_file).read_text() == "the old one"


def test_pairing_without_a_panel_ends(options: OsdpPanel.Options, installing: ControlPanel) -> None:
    begun = time.monotonic()
    with pytest.raises(LockError, match="is it in install mode"):
        OsdpPanel.pair(options, 0.2)
    assert time.monotonic() - begun >= 0.2
    assert not Path(options.key_file).exists()


def test_a_key_that_cannot_be_kept_is_not_taken(tmp_path: Path, installing: ControlPanel) -> None:
    """The panel is told so, and goes on with the key that it had."""
    attended = Attended(installing)
    nowhere = OsdpPanel.Options(device=str(tmp_path / "line"), key_file=str(tmp_path / "none" / "key"))
    with pytest.raises(LockError):
        OsdpPanel.pair(nowhere, 2.0)
    attended.dies()


@pytest.mark.parametrize("text", ["", "00" * 15, "00" * 17, "xy" * 16, DEFAULT_KEY.hex(), "é" * 16])
def test_a_wrong_panel_key_is_refused(tmp_path: Path, text: str) -> None:
    key = tmp_path / "key"
    key.write_text(text)
    key.chmod(0o600)
    with pytest.raises(LockError) as raised:
        read_key(key)
    assert str(key) in str(raised.value)


def test_a_key_is_read_with_or_without_an_end_of_line(tmp_path: Path) -> None:
    key = tmp_path / "key"
    for text in (KEY.hex(), KEY.hex().upper() + "\n"):
        key.write_text(text)
        key.chmod(0o600)
        assert read_key(key) == KEY


def test_the_panel_that_is_shown_can_be_configured() -> None:
    text = (ROOT / "deploy" / "kiosk.toml").read_text()
    shown = re.findall(
        r"^#   (\[panel\]|\w+ = .*)$", text.partition("#   [panel]")[1] + text.partition("#   [panel]")[2], re.M
    )
    panel = config.parse("\n".join(shown), "kiosk.toml", {}).panel
    assert panel is not None
    _, options = plugins.configured("panels", panel)
    assert options.model_fields_set == set(OsdpPanel.Options.model_fields)
    assert panel.cards.largest == 65535


def test_the_units_drop_in_gives_serial_lines_alone() -> None:
    lines = (ROOT / "deploy" / "kiosk-door.service.d" / "osdp.conf").read_text().splitlines()
    given = {line for line in lines if line and not line.startswith(("#", "["))}
    assert all(
        line.startswith("DeviceAllow=char-tty") and line.endswith(" rw")
        for line in given - {"SupplementaryGroups=dialout"}
    )
    assert "SupplementaryGroups=dialout" in given


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_the_key_that_root_keeps_belongs_to_whom_the_folder_belongs() -> None:
    """`sudo kiosk door pair`: kiosk-door reads the key; and a link that its user has put there leads root nowhere."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        folder, roots = place / "kiosk-door", place / "roots"
        for made in (folder, roots):
            made.mkdir(mode=0o700)
        os.chown(folder, 12345, 12345)
        (folder / "link.key").symlink_to(roots / "key")
        kept: list[bytes] = []
        assert osdp._keep(folder / "panel.key", bytes(range(16)), kept)
        assert kept == [bytes(range(16))]
        status = (folder / "panel.key").stat()
        assert (status.st_uid, status.st_mode & 0o777) == (12345, 0o600)
        assert not osdp._keep(folder / "link.key", bytes(range(16)), kept)
        assert list(roots.iterdir()) == []
