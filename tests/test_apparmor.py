"""The AppArmor profiles of deploy/apparmor: each unit names one that is there, and the parser understands them."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kiosk.sections import DoorConfig, NotifyConfig

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "apparmor"
PROFILES = sorted(path for path in FOLDER.iterdir() if path.is_file())
SYSTEM = Path("/etc/apparmor.d")


def profile_of(unit: Path) -> str:
    """Without the minus, by which the unit starts without it too."""
    (name,) = re.findall(r"^AppArmorProfile=-(.*)$", unit.read_text(), re.MULTILINE)
    return str(name)


def test_each_unit_names_its_profile() -> None:
    wanted = {"kiosk-backup": "kiosk", "kiosk-retention": "kiosk"}
    units = [unit for unit in (ROOT / "systemd").glob("*.service") if unit.stem != "kiosk-display"]
    assert {unit.stem: profile_of(unit) for unit in units} == {u.stem: wanted.get(u.stem, u.stem) for u in units}
    assert {path.name for path in PROFILES} == {"kiosk", "kiosk-door", "kiosk-notify"}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.name)
def test_the_parser_understands_it(profile: Path) -> None:
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")
    if parser is None or not (SYSTEM / "abstractions").exists():
        pytest.skip("apparmor_parser is not installed (Debian package apparmor)")
    command = [parser, "--skip-kernel-load", "--skip-cache", "--base", SYSTEM, "-I", FOLDER, "-I", SYSTEM, profile]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def rules(profile: Path) -> str:
    """Its rules and those of what the programs have in common, without comments."""
    text = profile.read_text() + (FOLDER / "abstractions" / "face-kiosk").read_text()
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))


def test_only_kiosk_notify_may_use_an_ip_network_and_nobody_reads_what_another_keeps() -> None:
    for profile in PROFILES:
        text = rules(profile)
        assert ("network inet" in text) == (profile.name == "kiosk-notify")
        kept = set(re.findall(r"/var/lib/(kiosk[a-z-]*)/", text)) - {"kiosk-models"}
        assert kept == {profile.name}
        assert "/dev/gpiochip" not in text or profile.name == "kiosk-door"
        assert "/dev/mem" not in text
        assert "gpiomem" not in text


def test_each_reads_the_credentials_of_its_own_units_alone() -> None:
    units = {
        unit.name: profile_of(unit) for unit in (ROOT / "systemd").glob("kiosk*.service") if "display" not in unit.name
    }
    assert set(units.values()) == {path.name for path in PROFILES}
    for profile in PROFILES:
        (rule,) = re.findall(r"^  /run/credentials/(\S+) r,$", rules(profile), re.MULTILINE)
        names, rest = rule.split(".service/")
        assert rest == "{,**}"
        assert {f"{name}.service" for name in names.strip("{}").split(",")} == {
            name for name, its in units.items() if its == profile.name
        }


def allowed(profile: str, path: str) -> set[str]:
    """What the profile's own plain rules let it do there: letters such as r, w, l."""
    found = re.findall(r"^  (?:owner )?(/\S+) (\w+),$", (FOLDER / profile).read_text(), re.MULTILINE)
    return {letter for pattern, letters in found if fnmatch(path, pattern) for letter in letters}


@pytest.mark.parametrize(
    ("profile", "sockets"),
    [
        ("kiosk", [DoorConfig().socket, DoorConfig().events]),  # a release, and what the door tells of it
        ("kiosk-notify", [DoorConfig().events, NotifyConfig().socket]),
        ("kiosk-door", [DoorConfig().socket, DoorConfig().events]),
    ],
)
def test_each_may_speak_at_the_sockets_that_it_uses(profile: str, sockets: list[Path]) -> None:
    for path in sockets:
        assert allowed(profile, str(path)) >= {"r", "w"}, path


def test_each_may_link_in_its_folder_by_which_a_file_is_made_once_and_whole() -> None:
    for profile in PROFILES:
        assert allowed(profile.name, f"/var/lib/{profile.name}/file") >= set("rwkl")
