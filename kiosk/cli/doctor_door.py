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
from kiosk.cli.doctor_check import REINSTALL, Finding, Patient, ok, problem, unknown
from kiosk.config import NAMELESS, Config
from kiosk.domain.door.state import DoorMode
from kiosk.locks import usb_board
from kiosk.sections import DoorConfig, LockConfig, PanelConfig
from kiosk.station.door_client import WELL, DoorClient

ADD_CONTACT = "wire a contact, and add [lock.contact] (deploy/door.md)"
RULE = f"{REINSTALL} && sudo udevadm trigger, and leave no other rule for it"
PERSIST = ("pinctrl_bcm2835", "pinctrl_rp1")
"""Kernel modules with the parameter persist_gpio_outputs: whether a line keeps its level without an owner."""
BOOT_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")


def findings(patient: Patient) -> Iterator[Finding]:
    """All findings about the door. Raises ConfigError for a wrong panel or USB relay, DoorError when the door cannot be
    reached."""
    settings = patient.settings
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
    said = ", ".join(word for word in words if word)
    yield ok(said) if well else problem(said, "sudo journalctl -u kiosk-door -n 30, and deploy/door-faults.md")
    if status.mode is DoorMode.LOCKDOWN:
        yield ok("lockdown: nobody is let in", "sudo kiosk door lockdown --end")
    lock = settings.lock.options() if settings.lock is not None and settings.lock.kind == "gpio" else None
    if lock is not None:
        if "contact" not in lock:
            yield ok("no [lock.contact]: whether the door is forced or held open cannot be told", ADD_CONTACT)
        yield from _line(lock, patient.root)


def _named(settings: Config) -> Iterator[Finding]:
    """Whether the door has a name in the configuration. It needs one with a real lock or with notifiers."""
    if settings.door.named:
        return
    if settings.drives_a_real_lock or settings.notifiers:
        yield problem(NAMELESS, "set name in [door] of the configuration")
    else:
        yield ok(
            f"it has no name of its own, and is called {settings.door.name}, as any other such door",
            "set name in [door] of the configuration",
        )


def _apart(door: DoorConfig) -> Iterator[Finding]:
    """Whether the group of the command socket also keeps out users who may only listen."""
    with suppress(OSError, KeyError):
        group = grp.getgrgid(door.socket.stat().st_gid)
        for name in door.subscribers:
            user = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
            if group.gr_gid in os.getgrouplist(user.pw_name, user.pw_gid):
                yield problem(
                    f"{user.pw_name} only listens, and is in the group {group.gr_name} of {door.socket}",
                    f"sudo usermod -g {user.pw_name} {user.pw_name}; sudo gpasswd -d {user.pw_name} {group.gr_name}",
                )


def _osdp(panel: PanelConfig) -> Iterator[Finding]:
    """What kiosk-door needs for its line to the panel. Does not read the key, which belongs to another user."""
    if find_spec("osdp_sys") is None:
        yield problem("the Python package libosdp is missing", "pip install 'libosdp>=3.2.9,<3.3'")
    _, options = plugins.configured("panels", panel)
    device, key = (Path(str(getattr(options, name))) for name in ("device", "key_file"))
    if not device.exists():
        yield problem(f"{device}: the line to the panel is not there", "check `device` in [panel] and the cable")
    try:
        mode = key.stat().st_mode
    except FileNotFoundError:
        yield problem(f"{key}: the panel's key is missing", "sudo kiosk door pair, or see deploy/door.md")
    except OSError as error:
        yield unknown(
            f"{key}: whether the panel's key is kept well only root can see ({error.strerror})", "sudo kiosk doctor"
        )
    else:
        if stat.S_IMODE(mode) & 0o077:
            yield problem(f"{key}: others can read the panel's key", f"sudo chmod 600 {key}, and sudo kiosk door pair")
        else:
            yield ok(f"{key}: only its owner can read the panel's key")


def _usb_hid(lock: LockConfig) -> Iterator[Finding]:
    """Which boards exist and who may use them. Opens none, because they belong to kiosk-door."""
    _, options = plugins.configured("locks", lock)
    relay = usb_board.configured(options.model_dump(exclude_none=True))
    places = usb_board.places()
    if not places:
        yield problem(usb_board.NONE)
    elif len(places) > 1 and not relay.serial:
        yield problem(f"{len(places)} USB relay boards are there", "say which with `serial` in [lock]")
    elif all(relay.relay > place.relays for place in places):
        yield problem(
            f"channel = {relay.relay}: no USB relay board that is there has so many relays", "set `channel` in [lock]"
        )
    for device, _ in places:
        with suppress(OSError):  # it was unplugged meanwhile
            if stat.S_IMODE(device.stat().st_mode) & 0o077:
                yield problem(f"{device}: others can move the relay", RULE)
    yield ok("a USB relay stays as it is when kiosk-door dies, and when this machine hangs", "see deploy/door.md")
    yield ok(
        "a USB relay board has no contact: whether the door is forced or held open cannot be told", "see deploy/door.md"
    )


def _line(lock: dict[str, Any], root: Path) -> Iterator[Finding]:
    """The level of the line when no process owns it, and before the first process owns it."""
    high = (lock.get("fail_mode") == "safe") == bool(lock.get("active_high"))
    level, pull = ("high", "up") if high else ("low", "down")
    kept = _kept(root)
    if kept is None:
        yield unknown(
            "what the kernel does with the line when kiosk-door dies is not known here",
            f"measure it: it must go {level} (deploy/door.md)",
        )
    elif kept:
        yield ok("the kernel keeps the line's level when kiosk-door dies: the unit's ExecStopPost secures it")
    else:
        yield ok(f"the line is given back when kiosk-door dies: its pull must be {pull}, the secured level")
    config = next((root / name for name in BOOT_CONFIGS if (root / name).is_file()), None)
    line = lock.get("line")
    number = int(line[4:]) if isinstance(line, str) and re.fullmatch(r"GPIO\d+", line) else line
    if config is None or not isinstance(number, int):
        return
    wanted = f"gpio={number}=op,d{level[0]}"
    if wanted in config.read_text(encoding="utf-8", errors="replace").split():
        yield ok(f"{config}: {wanted}")
    else:
        yield ok(f"{config} does not set the line before the kernel starts", f"echo {wanted} | sudo tee -a {config}")


def _kept(root: Path) -> bool | None:
    """Whether a line keeps its level without an owner; None if no driver says so."""
    for module in PERSIST:
        parameter = root / "sys/module" / module / "parameters/persist_gpio_outputs"
        try:
            return parameter.read_text(encoding="ascii").strip() in {"Y", "1"}
        except OSError:
            continue
    return None
