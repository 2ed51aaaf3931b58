"""What is installed beside the package: the units, the default configuration, users and folders."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections import defaultdict
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from kiosk import config, plugins
from kiosk.config import Config
from kiosk.keeping import ConsentConfig
from kiosk.locks import usb_board
from kiosk.sections import ControlConfig, DoorConfig, KioskConfig, NotifyConfig
from kiosk.vision.install import SYSTEM_FOLDER

ROOT = Path(__file__).parents[1]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
DROP_INS = sorted((ROOT / "deploy").glob("kiosk*.service.d/*.conf"))
DEFAULT = ROOT / "deploy" / "kiosk.toml"
SCREEN = "kiosk-display.service"
"""cage: not a program of ours."""
INSTALLED = {f"/usr/bin/{name}" for name in ("kiosk", "kiosk-door", "kiosk-notify")}
"""Links that the Debian package makes."""
CONTROL = Path("/run/kiosk-control/control.sock")
TMPFILES = (ROOT / "deploy" / "tmpfiles.conf").read_text()


def settings(unit: Path) -> dict[str, list[str]]:
    """The settings of a unit; several of one name add up, as systemd reads them."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in unit.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


@pytest.fixture(params=UNITS, ids=[unit.name for unit in UNITS])
def unit(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_both_units_are_there() -> None:
    assert {unit.name for unit in UNITS} >= {"kiosk.service", "kiosk-door.service"}


def test_what_a_program_loads_is_never_where_it_may_leave_things_for_its_next_start(unit: Path) -> None:
    of = settings(unit)
    given = dict(line.split("=", 1) for line in of["Environment"])
    if unit.name in {"kiosk.service", "kiosk-backup.service", "kiosk-retention.service"}:
        assert given["PYTHONNOUSERSITE"] == "1"
    if unit.name == "kiosk.service":
        assert given["GST_REGISTRY"].startswith("/tmp/"), "gone with the unit"
        assert of["PrivateTmp"] == ["yes"]


def test_units_name_their_configuration(unit: Path) -> None:
    if unit.name == SCREEN:
        return
    (command,) = settings(unit)["ExecStart"]
    program, *arguments = command.split()
    assert program in INSTALLED
    assert "--config /etc/kiosk/kiosk.toml" in " ".join(arguments)


def test_an_installed_kiosk_that_nobody_has_set_up_is_left_alone(unit: Path) -> None:
    condition = "/dev/dri" if unit.name == SCREEN else "/etc/kiosk/kiosk.toml"
    assert settings(unit)["ConditionPathExists"] == [condition]


def test_the_gpiochips_have_a_group_of_their_own_and_only_the_door_is_in_it() -> None:
    rules = (ROOT / "deploy" / "udev.rules").read_text()
    assert re.search(r'^SUBSYSTEM=="gpio", .*GROUP:="kiosk-gpio", MODE:="0660"$', rules, re.MULTILINE)
    users = ("kiosk", "kiosk-door", "kiosk-notify")
    assert [user for user in users if "kiosk-gpio" in groups_of(user)] == ["kiosk-door"]
    assert not [user for user in users if "gpio" in groups_of(user)]


def test_units_keep_secrets_and_restart(unit: Path) -> None:
    of = settings(unit)
    assert of["LimitCORE"] == of["MemorySwapMax"] == ["0"]
    assert of["NoNewPrivileges"] == ["yes"]
    if unit.with_suffix(".timer").exists():  # it ends by itself, and its timer starts it again
        assert (of["Type"], of["Restart"]) == (["oneshot"], [])
        assert (of["User"], of["PrivateNetwork"]) == (["kiosk"], ["yes"])
        return
    assert (of["Type"], of["Restart"]) == (["notify"], ["always"])
    assert of["WatchdogSec"] or unit.name == SCREEN
    # Slower each time, and for ever.
    assert of["StartLimitIntervalSec"] == ["0"]
    assert int(of["RestartSteps"][0]) >= 10
    assert 5 <= int(of["RestartMaxDelaySec"][0]) <= 60


def test_no_unit_reaches_d_bus_or_what_another_keeps(unit: Path) -> None:
    of = settings(unit)
    hidden = " ".join(of["InaccessiblePaths"]).split()
    assert "-/run/dbus" in hidden
    own = of["StateDirectory"]
    for folder in ("kiosk", "kiosk-door", "kiosk-notify"):
        assert (f"-/var/lib/{folder}" in hidden) != (folder in own), f"{unit.name}: /var/lib/{folder}"


def test_units_that_open_the_gallery_are_given_its_sealed_key_where_there_is_one() -> None:
    """And start where there is none: ImportCredential=, unlike LoadCredentialEncrypted=, takes what it finds."""
    assert Config().keys.credential is None
    for unit in UNITS:
        of = settings(unit)
        assert of["ImportCredential"] == (["gallery-key"] if of["StateDirectory"] == ["kiosk"] else [])
        assert not of["LoadCredentialEncrypted"]


def test_the_door_may_keep_all_its_memory_and_has_a_bound() -> None:
    of = settings(ROOT / "systemd" / "kiosk-door.service")
    assert (of["LimitMEMLOCK"], of["MemoryMax"]) == (["infinity"], ["128M"])


def test_securing_the_lock_from_outside_is_not_cut_short_and_a_door_that_hangs_is_killed() -> None:
    """TimeoutStopSec is of ExecStopPost too. 3 seconds were too few for it on a starved machine."""
    of = settings(ROOT / "systemd" / "kiosk-door.service")
    assert of["ExecStopPost"]
    assert 10 <= int(of["TimeoutStopSec"][0]) <= 15


def test_keys_of_a_keyboard_at_the_door_do_nothing_to_the_machine() -> None:
    machine = ROOT / "deploy" / "machine"
    assert "kernel.sysrq = 0" in (machine / "sysctl.conf").read_text().splitlines()
    assert settings(machine / "system.conf") == {"CtrlAltDelBurstAction": ["none"]}
    assert settings(machine / "logind.conf")["NAutoVTs"] == ["0"]
    assert "L /etc/systemd/system/ctrl-alt-del.target - - - - /dev/null" in TMPFILES.splitlines()


def test_with_cage_the_kiosk_has_the_cameras_and_nothing_else() -> None:
    of = settings(ROOT / "deploy" / "kiosk.service.d" / "cage.conf")
    (environment,) = settings(ROOT / "systemd" / SCREEN)["Environment"][:1]
    assert environment in of["Environment"]
    assert of["DeviceAllow"][0] == ""
    assert {line.split()[0] for line in of["DeviceAllow"][1:]} == {"char-video4linux", "char-media", "char-dma_heap"}
    assert "kiosk-display" in groups_of("kiosk")
    assert "-s" not in settings(ROOT / "systemd" / SCREEN)["ExecStart"][0].split("--")[0].split()


def test_only_kiosk_notify_has_an_ip_network(unit: Path) -> None:
    (families,) = settings(unit)["RestrictAddressFamilies"]
    more = {"AF_INET", "AF_INET6"} if unit.name == "kiosk-notify.service" else set()
    assert set(families.split()) <= {"AF_UNIX", "AF_NETLINK"} | more


def test_kiosk_notify_reaches_no_gallery_and_nothing_depends_on_it() -> None:
    of = settings(ROOT / "systemd" / "kiosk-notify.service")
    assert of["User"] == ["kiosk-notify"]
    assert "-/var/lib/kiosk" in of["InaccessiblePaths"][0].split()
    for name in ("kiosk.service", "kiosk-door.service"):
        named = {key for key, values in settings(ROOT / "systemd" / name).items() if "kiosk-notify" in " ".join(values)}
        assert named == {"InaccessiblePaths"}
    assert re.search(r"^u kiosk-notify ", (ROOT / "deploy" / "sysusers.conf").read_text(), re.MULTILINE)
    assert Config().notify.outbox.parent == Path("/var/lib") / of["StateDirectory"][0]


def groups_of(user: str) -> set[str]:
    """By sysusers.conf, and by the user's unit."""
    of = settings(ROOT / "systemd" / f"{user}.service")
    lines = [line.split() for line in (ROOT / "deploy" / "sysusers.conf").read_text().splitlines()]
    (primary,) = [words[2].removeprefix("-:") for words in lines if words[:2] == ["u", user]]
    assert of["Group"] == [primary]
    assert f"g {primary} " in (ROOT / "deploy" / "sysusers.conf").read_text()
    more = {words[2] for words in lines if words[:2] == ["m", user]}
    return {primary} | more | set(" ".join(of["SupplementaryGroups"]).split())


def test_kiosk_notify_reaches_the_events_and_not_the_commands() -> None:
    """door.sock is made in a folder of the group kiosk, the others in folders that hand their group on."""
    door = settings(ROOT / "systemd" / "kiosk-door.service")
    assert (door["Group"], door["RuntimeDirectoryMode"]) == (["kiosk"], ["0750"])
    assert Config().door.socket.parent == Path("/run") / door["RuntimeDirectory"][0]
    assert "kiosk" not in groups_of("kiosk-notify")
    assert {"kiosk", "kiosk-listen"} <= groups_of("kiosk") & groups_of("kiosk-door")
    assert "kiosk-listen" in groups_of("kiosk-notify")
    made = {
        words[1]: words[2:5] for line in TMPFILES.splitlines() if (words := line.split()) and words[0] in {"d", "z"}
    }
    for owner, socket in (
        ("kiosk-door", Config().door.events),
        ("kiosk", Config().notify.socket),
        ("kiosk", CONTROL),
    ):
        assert made[str(socket.parent)] == ["2750", owner, "kiosk-listen"]
        assert f"-{socket.parent}" in settings(ROOT / "systemd" / f"{owner}.service")["ReadWritePaths"]
    assert made["/etc/kiosk"] == ["0750", "root", "kiosk-listen"]
    assert made["/etc/kiosk/kiosk.toml"] == ["0640", "root", "kiosk-listen"]


def test_a_socket_elsewhere_has_its_events_beside_it() -> None:
    assert DoorConfig(socket=Path("/tmp/x/door.sock")).events == Path("/tmp/x/door-events.sock")


def test_the_door_has_a_user_of_its_own_and_does_not_depend_on_the_kiosk() -> None:
    door, kiosk = (settings(ROOT / "systemd" / name) for name in ("kiosk-door.service", "kiosk.service"))
    assert (door["User"], kiosk["User"]) == (["kiosk-door"], ["kiosk"])
    assert door["Group"] == kiosk["Group"]
    assert not [v for name in ("Requires", "BindsTo", "PartOf", "Requisite") for v in door[name] + kiosk[name]]
    users = (ROOT / "deploy" / "sysusers.conf").read_text()
    assert re.search(r"^u kiosk ", users, re.MULTILINE)
    assert re.search(r"^u kiosk-door ", users, re.MULTILINE)


EXPOSURE = {
    "kiosk-door.service": 0.7,
    "kiosk-notify.service": 1.0,
    "kiosk.service": 1.2,
    "kiosk-display.service": 1.2,
    "kiosk-backup.service": 0.4,
    "kiosk-retention.service": 0.4,
}
"""The most that `systemd-analyze security` may find, of 10. What it does not find is in decision 0051."""
WITH_A_DROP_IN = 0.3
"""What a drop-in may cost: a device, an address."""


def exposure(unit: Path, more: float = 0.0) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says of a unit and of the drop-ins beside it; it fails above EXPOSURE and `more`."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed (Debian package systemd)")
    offline = subprocess.run([tool, "security", "--help"], capture_output=True, text=True, check=True).stdout
    if "--offline" not in offline:
        pytest.skip("this systemd-analyze is older than 250 and cannot judge a file")
    command = [
        tool,
        "security",
        "--no-pager",
        "--offline=yes",
        f"--threshold={round(10 * (EXPOSURE[unit.name] + more))}",
        str(unit),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_rates_the_units_exposure_as_low(unit: Path) -> None:
    result = exposure(unit)
    assert result.returncode == 0, result.stdout[-200:] + result.stderr


def test_a_backup_is_made_each_night_and_may_write_where_the_shipped_folder_is() -> None:
    timer = settings(ROOT / "systemd" / "kiosk-backup.timer")
    assert (timer["Persistent"], timer["WantedBy"]) == (["yes"], ["timers.target"])
    (folder,) = re.findall(r'^#folder = "(/media/.*)"', DEFAULT.read_text(), re.MULTILINE)
    for name in ("backup", "retention"):
        assert settings(ROOT / "systemd" / f"kiosk-{name}.service")["ReadWritePaths"] == [f"-{folder}"]


def test_there_is_a_drop_in_for_each_notifier_that_needs_a_device() -> None:
    assert [path.stem for path in DROP_INS if path.parent.name == "kiosk-notify.service.d"] == [
        "internet",
        "led",
        "printer",
        "sound",
    ]
    assert "deploy/kiosk-notify.service.d" in (ROOT / "systemd" / "kiosk-notify.service").read_text()


def test_the_doors_drop_in_for_a_usb_board_gives_that_kind_of_device_alone() -> None:
    folder = ROOT / "deploy" / "kiosk-door.service.d"
    assert {path.stem for path in DROP_INS if path.parent == folder} == {"osdp", "plugin", "usb-hid"}
    assert settings(folder / "usb-hid.conf") == {"DeviceAllow": ["char-hidraw rw"]}


def test_udev_gives_the_usb_board_to_kiosk_door_and_to_nobody_else() -> None:
    rules = [line for line in (ROOT / "deploy" / "udev.rules").read_text().splitlines() if "hidraw" in line]
    (parts,) = [dict(re.findall(r'(\S+?)=+"([^"]*)"', line)) for line in rules if not line.startswith("#")]
    vendor, product = usb_board.USB_ID.lower().split(":")[1:]
    assert parts["ATTRS{idVendor}"] == vendor.removeprefix("0000")
    assert parts["ATTRS{idProduct}"] == product.removeprefix("0000")
    assert re.fullmatch(parts["ATTRS{product}"], "USBRelay8")
    assert (parts["SUBSYSTEM"], parts["OWNER"], parts["MODE"]) == ("hidraw", "kiosk-door", "0600")


@pytest.mark.parametrize("drop_in", DROP_INS, ids=[path.name for path in DROP_INS])
def test_the_exposure_stays_low_with_a_drop_in(drop_in: Path, tmp_path: Path) -> None:
    unit = tmp_path / drop_in.parent.name.removesuffix(".d")
    shutil.copy(ROOT / "systemd" / unit.name, unit)
    alone = exposure(unit)
    (tmp_path / drop_in.parent.name).mkdir()
    shutil.copy(drop_in, tmp_path / drop_in.parent.name)
    result = exposure(unit, WITH_A_DROP_IN)
    assert result.returncode == 0, result.stdout[-200:] + result.stderr
    if drop_in.stem not in {"internet", "chrony"}:  # of what these change systemd-analyze thinks the same
        assert result.stdout != alone.stdout, "the drop-in was not read"
    assert set(settings(drop_in)) <= set(settings(unit)) | {"DevicePolicy", "DeviceAllow", "SupplementaryGroups"}


def test_the_default_configuration_names_no_lock_and_lets_the_kiosk_speak() -> None:
    wanted = Config(
        kiosk=KioskConfig(home=Path("/var/lib/kiosk")),
        door=DoorConfig(clients=("kiosk",), subscribers=("kiosk-notify",)),
        consent=ConsentConfig(required=True),
        notify=NotifyConfig(subscribers=("kiosk-notify",)),
        control=ControlConfig(socket=CONTROL),
    )
    assert config.parse(DEFAULT.read_text(), "kiosk.toml", {}).model_dump() == wanted.model_dump()


ALONE = {"previous"}
"""Keys that exclude others which are shown."""


def all_shown() -> str:
    """The default configuration with all that is commented out in it, but for ALONE."""
    return re.sub(rf"^#(?!{'|'.join(ALONE)})(?=[\[a-z])", "", DEFAULT.read_text(), flags=re.MULTILINE)


def test_what_is_commented_out_is_the_default_and_complete() -> None:
    parsed = config.parse(all_shown(), "kiosk.toml", {})
    assert parsed.lock is not None
    assert parsed.lock.options() == {
        "chip": "/dev/gpiochip0",
        "line": 17,
        "active_high": True,
        "fail_mode": "secure",
    }
    optional = {
        "models": {"folder", "previous"},
        "policy": {"threshold", "pad_threshold", "refusals_an_hour"},
        "door": {"clients", "subscribers"},
        "notify": {"subscribers"},
        "backup": {"folder"},
        "retention": {"ended_days", "log_days"},
    }
    for name in ("door", "models", "quality", "attempt", "policy", "notify", "backup", "retention"):
        shown, default = getattr(parsed, name), getattr(Config(), name)
        left_out = optional.get(name, set())
        assert shown.model_dump(exclude=left_out) == default.model_dump(exclude=left_out)
        keys = set(type(shown).model_fields) - ALONE
        assert shown.model_fields_set == keys, f"[{name}] does not show every key"
    assert all(f"#{key} = " in DEFAULT.read_text() for key in ALONE)


def test_the_shown_notifiers_are_those_that_there_are() -> None:
    sections = config.parse(all_shown(), "kiosk.toml", {}).notifiers.values()
    assert {section.kind for section in sections} == {p.name for p in entry_points(group="kiosk.notifiers")}
    for section in sections:
        plugins.make("notifiers", section)


def test_the_line_is_secured_whenever_the_door_has_stopped() -> None:
    door = settings(ROOT / "systemd" / "kiosk-door.service")
    (command,) = door["ExecStopPost"]
    assert command.endswith("-Ps -m kiosk.locks.secure_line /etc/kiosk/kiosk.toml")
    assert door["StartLimitIntervalSec"] == ["0"], "a door that dies over and over must not stay away"
    assert (Path("/var/lib") / door["StateDirectory"][0]) == Config().door.state


def test_the_shown_socket_is_in_the_folder_that_the_unit_makes() -> None:
    (folder,) = settings(ROOT / "systemd" / "kiosk-door.service")["RuntimeDirectory"]
    assert Config().door.socket.parent == Path("/run") / folder


def test_networks_are_roots_and_the_kiosk_only_reads_them() -> None:
    folders = (ROOT / "deploy" / "tmpfiles.conf").read_text().splitlines()
    assert f"d {SYSTEM_FOLDER} 0755 root root -" in folders
    (read_only,) = settings(ROOT / "systemd" / "kiosk.service")["ReadOnlyPaths"]
    assert f"-{SYSTEM_FOLDER}" in read_only.split()
    assert f'#folder = "{SYSTEM_FOLDER}"' in DEFAULT.read_text().splitlines()


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes users, in a folder of the test's own as well")
def test_the_tools_make_the_groups_and_folders_as_they_are_meant(tmp_path: Path) -> None:
    tools = [shutil.which(name) for name in ("systemd-sysusers", "systemd-tmpfiles")]
    if None in tools:
        pytest.skip("systemd-sysusers or systemd-tmpfiles is not installed (Debian package systemd)")
    (tmp_path / "etc").mkdir()
    deploy = ROOT / "deploy"
    for command in ([tools[0], deploy / "sysusers.conf"], [tools[1], "--create", deploy / "tmpfiles.conf"]):
        made = subprocess.run([command[0], f"--root={tmp_path}", *command[1:]], capture_output=True, check=False)
        assert made.returncode == 0, made.stderr
    groups = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    users = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    number = {name: int(gid) for name, _, gid, _ in groups}
    uid = {name: int(uid) for name, _, uid, *_ in users}
    primary = {name: int(gid) for name, _, _, gid, *_ in users}
    assert primary == {
        **dict.fromkeys(("kiosk", "kiosk-door"), number["kiosk"]),
        **{name: number[name] for name in ("kiosk-notify", "kiosk-display")},
    }
    (listening,) = [members for name, _, _, members in groups if name == "kiosk-listen"]
    assert set(listening.split(",")) == {"kiosk", "kiosk-door", "kiosk-notify"}
    for folder, owner in (("kiosk-door-events", "kiosk-door"), ("kiosk-events", "kiosk"), ("kiosk-control", "kiosk")):
        status = (tmp_path / "run" / folder).stat()
        assert (status.st_uid, status.st_gid) == (uid[owner], number["kiosk-listen"])
        assert stat.S_IMODE(status.st_mode) == 0o2750
