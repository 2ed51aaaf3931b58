"""`kiosk doctor`: checks the door, and what this board does with the lock's line when no process holds it.

deploy/door.md describes what the boards' drivers do, with sources. This module only finds out which case applies here.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kiosk import plugins
from kiosk.config import NAMELESS, Config
from kiosk.domain.door.state import DoorMode
from kiosk.locks import usb_board
from kiosk.sections import DoorConfig, LockConfig, PanelConfig
from kiosk.station.door_client import WELL, DoorClient

ROOT = Path("/")
PERSIST = ("pinctrl_bcm2835", "pinctrl_rp1")
"""Kernel modules with the parameter persist_gpio_outputs: whether a line keeps its level without an owner."""
BOOT_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")

Remark = tuple[str, str]
"""Level (ok, note, bad) and message."""


def remarks(settings: Config, root: Path = ROOT) -> Iterator[Remark]:
    """All findings about the door. Raises ConfigError for a wrong panel or USB relay, DoorError when the door cannot be
    reached."""
    yield from _named(settings)
    yield from _apart(settings.door)
    if settings.panel is not None and settings.panel.kind == "osdp":
        yield from _osdp(settings.panel)
    if settings.lock is not None and settings.lock.kind == "usb-hid":
        yield from _usb_hid(settings.lock)
    with DoorClient(settings.door.socket) as client:
        status = client.status(timeout=2.0)
    words = [status.state.value, "the lock is simulated" if status.simulated else "", *status.faults]
    well = status.state in WELL and not status.faults
    yield ("ok" if well else "bad"), ", ".join(word for word in words if word)
    if status.mode is DoorMode.LOCKDOWN:
        yield "note", "lockdown: nobody is let in before `kiosk door lockdown --end`"
    lock = settings.lock.options() if settings.lock is not None and settings.lock.kind == "gpio" else None
    if lock is not None:
        if "contact" not in lock:
            yield "note", "no [lock.contact]: whether the door is forced or held open cannot be told"
        yield from _line(lock, root)


def _named(settings: Config) -> Iterator[Remark]:
    """Whether the door has a name in the configuration. It needs one with a real lock or with notifiers."""
    if not settings.door.named and (settings.drives_a_real_lock or settings.notifiers):
        yield "bad", NAMELESS


def _apart(door: DoorConfig) -> Iterator[Remark]:
    """Whether the group of the command socket also keeps out users who may only listen."""
    with suppress(OSError, KeyError):
        group = grp.getgrgid(door.socket.stat().st_gid)
        for name in door.subscribers:
            user = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
            if group.gr_gid in os.getgrouplist(user.pw_name, user.pw_gid):
                yield (
                    "bad",
                    f"{user.pw_name} only listens, and is in the group {group.gr_name} of {door.socket}: "
                    f"sudo usermod -g {user.pw_name} {user.pw_name}; sudo gpasswd -d {user.pw_name} {group.gr_name}",
                )


def _osdp(panel: PanelConfig) -> Iterator[Remark]:
    """What kiosk-door needs for its line to the panel. Does not read the key, which belongs to another user."""
    if find_spec("osdp_sys") is None:
        yield "bad", "the Python package libosdp is missing: pip install 'libosdp>=3.2.9,<3.3'"
    _, options = plugins.configured("panels", panel)
    device, key = (Path(str(getattr(options, name))) for name in ("device", "key_file"))
    if not device.exists():
        yield "bad", f"{device}: the line to the panel is not there: check `device` and the cable"
    try:
        mode = key.stat().st_mode
    except FileNotFoundError:
        yield "bad", f"{key}: the panel's key is missing: kiosk door pair, or see deploy/door.md"
    except OSError as error:
        yield "note", f"{key}: whether the panel's key is kept well only root can see ({error.strerror})"
    else:
        if stat.S_IMODE(mode) & 0o077:
            yield "bad", f"{key}: others can read the panel's key: chmod 600 {key}, and set another one"
        else:
            yield "ok", f"{key}: only its owner can read the panel's key"


def _usb_hid(lock: LockConfig) -> Iterator[Remark]:
    """Which boards exist and who may use them. Opens none, because they belong to kiosk-door."""
    _, options = plugins.configured("locks", lock)
    relay = usb_board.configured(options.model_dump(exclude_none=True))
    places = usb_board.places()
    if not places:
        yield "bad", usb_board.NONE
    elif len(places) > 1 and not relay.serial:
        yield "bad", f"{len(places)} USB relay boards are there: say which with `serial` in [lock]"
    elif all(relay.relay > place.relays for place in places):
        yield "bad", f"channel = {relay.relay}: no USB relay board that is there has so many relays"
    for device, _ in places:
        with suppress(OSError):  # it was unplugged meanwhile
            if stat.S_IMODE(device.stat().st_mode) & 0o077:
                yield "bad", f"{device}: others can move the relay: install deploy/udev.rules, and no other rule for it"
    yield "note", "a USB relay stays as it is when kiosk-door dies, and when this machine hangs: see deploy/door.md"
    yield "note", "a USB relay board has no contact: whether the door is forced or held open cannot be told"


def _line(lock: dict[str, Any], root: Path) -> Iterator[Remark]:
    """The level of the line when no process owns it, and before the first process owns it."""
    high = (lock.get("fail_mode") == "safe") == bool(lock.get("active_high"))
    level, pull = ("high", "up") if high else ("low", "down")
    kept = _kept(root)
    if kept is None:
        yield "note", f"what the kernel does with the line when kiosk-door dies is not known here: measure it ({level})"
    elif kept:
        yield "note", "the kernel keeps the line's level when kiosk-door dies: the unit's ExecStopPost secures it"
    else:
        yield "ok", f"the line is given back when kiosk-door dies: its pull must be {pull}, the secured level"
    config = next((root / name for name in BOOT_CONFIGS if (root / name).is_file()), None)
    line = lock.get("line")
    number = int(line[4:]) if isinstance(line, str) and re.fullmatch(r"GPIO\d+", line) else line
    if config is None or not isinstance(number, int):
        return
    wanted = f"gpio={number}=op,d{level[0]}"
    if wanted in config.read_text(encoding="utf-8", errors="replace").split():
        yield "ok", f"{config}: {wanted}"
    else:
        yield "note", f"{config} does not set the line before the kernel starts: add {wanted}"


def _kept(root: Path) -> bool | None:
    """Whether a line keeps its level without an owner; None if no driver says so."""
    for module in PERSIST:
        parameter = root / "sys/module" / module / "parameters/persist_gpio_outputs"
        try:
            return parameter.read_text(encoding="ascii").strip() in {"Y", "1"}
        except OSError:
            continue
    return None
