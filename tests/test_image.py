"""The recipe for an image (deploy/image), as far as it can be tried without its tool: what the first boot does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kiosk.cli.setup_answers import Root, read
from kiosk.domain.errors import ConfigError

IMAGE = Path(__file__).parents[1] / "deploy" / "image"
UNIT = IMAGE / "layer/face-kiosk.d/customize.overlay/usr/lib/systemd/system/kiosk-first-boot.service"


def lines(name: str) -> list[str]:
    found = (line.partition("=") for line in UNIT.read_text().splitlines() if not line.startswith("#"))
    return [value for key, _, value in found if key == name]


def test_answers_from_a_medium_that_knows_no_rights_are_read_from_a_closed_copy(tmp_path: Path) -> None:
    medium, memory = tmp_path / "medium", tmp_path / "memory"
    (medium / "pictures").mkdir(parents=True)
    memory.mkdir(mode=0o700)
    (medium / "setup.toml").write_text((IMAGE.parent / "setup.toml").read_text())
    for path in (medium, *medium.rglob("*")):
        path.chmod(0o755)
    with pytest.raises(ConfigError, match="others can read the PINs"):
        read(medium / "setup.toml", Root())
    (command,) = lines("ExecStartPre")
    words = command.replace("/boot/firmware/kiosk-setup", str(medium)).replace("/run/kiosk-first-boot", str(memory))
    (umask,) = lines("UMask")
    subprocess.run(words.split(), umask=int(umask, 8), check=True)
    assert read(memory / "setup.toml", Root()).people[0].pictures == (memory / "ada.jpg",)
    assert (memory / "pictures").stat().st_mode & 0o077 == 0


def test_the_first_boot_waits_for_nothing_that_waits_for_it_and_is_tried_until_it_is_done() -> None:
    assert not lines("Before"), "setup starts the kiosk's units itself, and waits for them"
    assert lines("ConditionPathExists") == ["/boot/firmware/kiosk-setup/setup.toml"]
    assert lines("ExecStartPost") == ["/usr/bin/rm -r /boot/firmware/kiosk-setup"]
    (start,) = lines("ExecStart")
    assert start == "/usr/bin/kiosk setup --from /run/kiosk-first-boot/setup.toml"


def test_the_layer_enables_what_its_overlay_brings() -> None:
    layer = (IMAGE / "layer" / "face-kiosk.yaml").read_text()
    assert f'enable-units "$1" {UNIT.stem}' in layer
