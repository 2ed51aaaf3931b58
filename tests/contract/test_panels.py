"""The suite of kiosk.testing.panels for every panel that is registered under the entry points `kiosk.panels`.

A panel that is added there fails here until it has a rig: a real panel at the other end of its line.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import osdp_sys
import pytest

from kiosk import plugins
from kiosk.testing.panel_rig import PanelRig
from kiosk.testing.panels import PanelContract
from tests.control_panel import DEFAULT_KEY, KEY, OTHER_KEY, ControlPanel

NAMES = sorted({point.name for point in entry_points(group="kiosk.panels")})
ORDERS: list[dict[str, object]] = [
    {"command": osdp_sys.CMD_COMSET, "address": 5, "baud_rate": 115200},
    {"command": osdp_sys.CMD_KEYSET, "type": 1, "data": OTHER_KEY},
    {"command": osdp_sys.CMD_MFG, "vendor_code": 1, "data": b"open"},
]
"""Outputs, lamps and buzzers are not offered, so that this panel does not even send them."""


def osdp(folder: Path) -> PanelRig:
    link, key = folder / "line", folder / "key"
    key.write_text(KEY.hex())
    key.chmod(0o600)

    def order(command: dict[str, object]) -> Callable[[ControlPanel], None]:
        return lambda far: far.command(**command)

    return PanelRig(
        options={"device": str(link), "key_file": str(key)},
        far=lambda: ControlPanel(link),
        strangers={
            "wrong_key": lambda: ControlPanel(link, OTHER_KEY),
            "plain": lambda: ControlPanel(link, None),
            "install": lambda: ControlPanel(link, OTHER_KEY, install=True),
        },
        wrong=[
            {"device": ""},
            {"baud": 1200},
            {"baud": "9600"},
            {"address": 127},
            {"install": True},
            {"scbk": KEY.hex()},
        ],
        lost=[
            key.unlink,
            lambda: key.chmod(0o640),
            lambda: key.write_text("secret"),
            lambda: key.write_text(DEFAULT_KEY.hex()),
            link.unlink,
            lambda: (link.unlink(), link.touch()),
        ],
        orders=[order(command) for command in ORDERS],
        secrets=[KEY.hex(), DEFAULT_KEY.hex(), "secret"],
    )


RIGS: dict[str, Callable[[Path], PanelRig]] = {"osdp": osdp}


def test_every_panel_is_tested_here() -> None:
    assert set(RIGS) == set(NAMES)


class TestPanels(PanelContract):
    @pytest.fixture(params=NAMES)
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def plugin(self, name: str) -> Any:
        return plugins.load("panels", name)

    @pytest.fixture
    def rigs(self, name: str) -> Callable[[Path], PanelRig]:
        return RIGS[name]
