"""`kiosk door forget-gallery`: recorded first, then kiosk-door believes an older gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiosk.station.witness import doubted
from tests.cli.test_door import site

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.cli.test_door import Site

__all__ = ["site"]


def test_what_kiosk_door_has_seen_is_forgotten_and_that_is_recorded(site: Site) -> None:
    socket = site.config.parent / "door.sock"
    assert doubted(socket, "epoch", 5) is None
    assert doubted(socket, "epoch", 4) is not None
    done = site.door("forget-gallery")
    assert (done.status, done.out) == (
        0,
        ["kiosk-door believes the next gallery that the kiosk shows it: restart the kiosk"],
    )
    assert doubted(socket, "epoch", 4) is None
    assert [r["reason"] for r in site.audit("command")] == ["forget_gallery"]


def test_it_asks_for_the_door_and_for_the_log(site: Site, kiosk: Command) -> None:
    socket = site.config.parent / "door.sock"
    assert doubted(socket, "epoch", 5) is None
    nameless = kiosk("door", "forget-gallery", at=site.home)
    assert nameless.status == 2
    assert "--config" in nameless.err[0]
    elsewhere = kiosk("door", "forget-gallery", "--config", site.config, at=site.home / "nowhere")
    assert elsewhere.status == 2
    assert doubted(socket, "epoch", 4) is not None
