"""Commands of users who may not open the gallery: they ask the kiosk, which knows who they are."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from kiosk.cli.console import settings
from kiosk.cli.registers import _door_of
from kiosk.domain.audit import AuditKind
from kiosk.domain.door.witness import Disbelief
from kiosk.domain.rights import Users
from kiosk.station.witness import doubted
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passphrase import _sealed
from kiosk.storage.sealed import SealedRows
from tests.cli.test_root import UID, python
from tests.doors import Doors
from tests.station.registers import desk_of, served
from tests.station.test_enrolment import ADA, enrolment, sample

__all__ = ["python"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands as other users")

AUDITOR, STRANGER = UID + 1, UID + 2


@pytest.fixture
def gallery(place: Path) -> Iterator[Gallery]:
    """Ada's, in a home that only root may enter."""
    with closing(open_gallery(Home(place / "home"))) as opened:
        enrolment(opened).add([sample(ADA)], "Ada")
        yield opened


@pytest.fixture
def config(place: Path) -> Path:
    path = place / "kiosk.toml"
    path.write_text(f'[kiosk]\nhome = "{place}/home"\n[control]\nsocket = "{place}/control.sock"\n')
    path.chmod(0o644)
    return path


@pytest.fixture
def socket(place: Path, gallery: Gallery) -> Iterator[Path]:
    """The desk of a kiosk of root's."""
    users = Users(frozenset({0}), frozenset({UID}), frozenset({AUDITOR}))
    with served(desk_of(gallery, place / "home"), place, users, place / "home") as path:
        path.chmod(0o666)  # in place of a common group
        yield path


def command(python: list[str], config: Path, uid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`kiosk subjects ...` as somebody."""
    whole = [*python, "-m", "kiosk", "subjects", *arguments, "--config", str(config)]
    done = subprocess.run(whole, cwd="/", user=uid, group=uid, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.usefixtures("socket")
def test_staff_change_people_without_any_right_to_the_gallery(
    python: list[str], config: Path, gallery: Gallery
) -> None:
    listed = command(python, config, UID, "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout)["name"] == "Ada"
    assert command(python, config, UID, "disable", "Ada").returncode == 0
    assert gallery.find("Ada").disabled
    (change, *_) = Audit(gallery.store).records(kinds=(AuditKind.SUBJECT,))
    assert (change.outcome, change.detail) == ("disabled", {"by": f"uid {UID}"})


@pytest.mark.usefixtures("socket")
def test_staff_record_consent_without_any_right_to_the_gallery(
    python: list[str], config: Path, gallery: Gallery
) -> None:
    whole = [*python, "-m", "kiosk", "consent", "record", "Ada", "1/en", "--config", str(config)]
    done = subprocess.run(whole, cwd="/", user=UID, group=UID, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept = gallery.find("Ada").consent
    assert kept is not None
    assert (kept.text, kept.language, kept.staff) == ("1", "en", f"uid {UID}")


@pytest.mark.usefixtures("socket")
def test_what_opens_the_gallery_itself_beside_a_kiosk_says_why_it_wants_the_passphrase(
    python: list[str], config: Path, gallery: Gallery
) -> None:
    sealed = Path(gallery.store.path).with_name("gallery.key.sealed")
    key = Home(sealed.parent).keys.read()
    assert key is not None
    sealed.write_bytes(_sealed(key, "correct horse battery"))
    config.write_text(f"{config.read_text()}[keys]\npassphrase = true\n")
    for arguments, typed, status in (("status", "", 2), ("status", "correct horse battery\n", 0)):
        whole = [*python, "-m", "kiosk", "keys", arguments, "--config", str(config)]
        done = subprocess.run(whole, cwd="/", input=typed, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert done.stderr.count("\n") == (status == 2)
        assert ("the running kiosk lends its key to nobody" in done.stderr) == (status == 2)


@pytest.mark.usefixtures("socket")
def test_an_auditor_only_looks_and_a_stranger_not_even_that(python: list[str], config: Path, gallery: Gallery) -> None:
    assert command(python, config, AUDITOR, "show", "Ada").returncode == 0
    for uid, said in ((AUDITOR, "an auditor may not do this"), (STRANGER, "an admin adds you to [control]")):
        refused = command(python, config, uid, "erase", "Ada", "--yes")
        assert refused.returncode == 2
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert not gallery.find("Ada").disabled


def test_without_a_running_kiosk_the_command_opens_the_gallery_or_says_that_it_may_not(
    python: list[str], config: Path, gallery: Gallery
) -> None:
    assert command(python, config, 0, "disable", "Ada").returncode == 0
    assert gallery.find("Ada").disabled
    refused = command(python, config, UID, "enable", "Ada")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.usefixtures("socket")
def test_another_home_is_not_asked_for_at_the_kiosk(python: list[str], config: Path, place: Path) -> None:
    other = subprocess.run(
        [*python, "-m", "kiosk", "--home", str(place / "other"), "subjects", "list", "--config", str(config)],
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Ada" not in other.stdout
    assert other.returncode == 2


def test_only_the_gallery_of_the_configured_home_is_shown_to_the_door(config: Path, place: Path) -> None:
    """A trial's gallery beside it would become the one that the door believes, and the real one an old copy."""
    with click.Context(click.Command("enrol")):
        door = _door_of(config, None)
        assert door == settings(config).door.socket
        assert _door_of(config, place / "home") == door
        assert _door_of(config, place / "other") is None
    config.write_text("")
    with click.Context(click.Command("enrol")):
        assert _door_of(config, place / "home") is None, "a home that nobody has configured has no door"


def test_a_command_that_finds_no_kiosk_shows_the_door_what_it_changes(
    python: list[str], config: Path, gallery: Gallery, doors: Doors
) -> None:
    door = doors.start()
    config.write_text(f'{config.read_text()}[door]\nsocket = "{door.socket}"\n')
    assert command(python, config, 0, "disable", "Ada").returncode == 0
    roster = SealedRows(gallery.store, gallery.vault).roster()
    assert doubted(door.socket, roster.epoch, roster.generation - 1) is Disbelief.OLDER
