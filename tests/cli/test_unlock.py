"""A real kiosk whose key has a passphrase: it is locked, is unlocked, and answers commands that have no key."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from kiosk.demonstration import stage
from kiosk.storage import rotation
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passphrase import PassphraseKey
from kiosk.vision.models import load
from tests.cli.test_run import PATIENCE, RELEASE, Site, decision

WORDS, NEW_WORDS = "correct horse battery", "staple correct horse"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The demonstration's people, whose gallery's key lies beside it still."""
    socket, record = tmp_path / "door.sock", tmp_path / "lock.jsonl"
    config = tmp_path / "kiosk.toml"
    config.write_text(
        f"""
        [camera]
        kind = "simulated"
        loop = true
        [keys]
        passphrase = true
        [control]
        socket = "{tmp_path}/control.sock"
        [backup]
        folder = "{tmp_path}"
        [retention]
        ended_days = 0
        log_days = 1
        [lock]
        kind = "simulated"
        record = "{record}"
        [door]
        socket = "{socket}"
        state = "{tmp_path}/state"
        release_seconds = {RELEASE}
        """
    )
    settings = stage.settings(socket)
    stage.enrol_visitors(settings, Home(tmp_path / "home"), load(settings.models, settings.policy))
    with ExitStack() as stack:
        yield Site(config, tmp_path / "home", record, socket, stack)


def command(site: Site, *arguments: str, typed: str = "", config: bool = True) -> tuple[int, str]:
    """A command as a user gives it; its exit status and all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "kiosk", "--home", str(site.home), *arguments] + ["--config", str(site.config)] * config,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.prove
def test_a_kiosk_with_a_passphrase_is_locked_until_an_admin_gives_it(site: Site) -> None:
    status, said = command(site, "subjects", "list")
    assert status == 2
    assert "key is missing" in said, "the key beside the gallery is no longer used"
    status, said = command(site, "keys", "passphrase")
    assert (status, "first line of standard input" in said) == (2, True)
    assert (site.home / "gallery.key").exists()
    status, said = command(site, "keys", "passphrase", typed=f"{WORDS}\n")
    assert (status, "kiosk unlock" in said) == (0, True)
    assert not (site.home / "gallery.key").exists()
    assert [path.name for path in site.home.glob("gallery.key*")] == ["gallery.key.sealed"]
    site.door()
    kiosk = site.kiosk()
    assert kiosk.line(lambda row: row["event"] == "fault")["reason"] == "locked"
    status, said = command(site, "unlock", typed="something else entirely\n")
    assert (status, "not the passphrase" in said) == (2, True)
    assert command(site, "unlock", typed=f"{WORDS}\n") == (0, "unlocked\n")
    assert kiosk.line(lambda row: row["event"] == "recovered")["reason"] == "locked"
    first = kiosk.line(lambda row: decision(row) and row["outcome"] == "granted")
    assert command(site, "unlock")[1] == "the kiosk is not locked\n"

    status, said = command(site, "subjects", "disable", first["subject"])
    assert status == 0, said
    refused = kiosk.line(lambda row: decision(row) and row["reason"] == "subject_disabled")
    assert refused["subject"] == first["subject"]
    status, said = command(site, "audit", "show", "--json", config=False)
    assert f'"by": "uid {os.getuid()}"' in said

    # What the timers do, without anybody to type the passphrase.
    status, said = command(site, "backup", "make")
    assert (status, "recovery passphrase" in said) == (2, True), said
    status, said = command(site, "retention")
    assert (status, "erased: " in said, "0 records" in said) == (0, True, True), said


@pytest.mark.prove
def test_another_passphrase_while_a_change_of_the_key_was_cut_off_loses_nothing(site: Site) -> None:
    """kill -9 of `keys rotate` between the gallery and the key's file: the coming key has the old passphrase."""
    assert command(site, "keys", "passphrase", typed=f"{WORDS}\n")[0] == 0
    source = PassphraseKey(site.home / "gallery.key.sealed")
    source.open(WORDS)
    with closing(open_gallery(Home(site.home, source))) as gallery, pytest.MonkeyPatch.context() as patch:
        patch.setattr(PassphraseKey, "adopt", lambda _: None)
        rotation.rotate(gallery.store, source)
    assert (site.home / "gallery.key.sealed.next").exists()
    assert command(site, "keys", "passphrase", typed=f"{WORDS}\n{NEW_WORDS}\n")[0] == 0
    assert command(site, "subjects", "list", typed=f"{WORDS}\n")[0] == 2
    status, said = command(site, "subjects", "list", typed=f"{NEW_WORDS}\n")
    assert (status, "Ada" in said) == (0, True)


def test_a_key_that_was_sealed_and_still_lies_there_is_removed(site: Site) -> None:
    """kill -9 of `keys passphrase` between the two."""
    plain = (site.home / "gallery.key").read_bytes()
    assert command(site, "keys", "passphrase", typed=f"{WORDS}\n")[0] == 0
    (site.home / "gallery.key").write_bytes(plain)
    (site.home / "gallery.key").chmod(0o600)
    assert command(site, "keys", "passphrase", typed=f"{WORDS}\n{NEW_WORDS}\n")[0] == 0
    assert not (site.home / "gallery.key").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a socket served by somebody else")
def test_the_passphrase_is_not_told_to_somebody_elses_socket(site: Site) -> None:
    ready = "import os, socket, sys; os.setuid(12345); s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)"
    ready += "; s.bind(sys.argv[1]); s.listen(); print(flush=True); c, _ = s.accept(); sys.exit(len(c.recv(4096)))"
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    site.config.write_text(site.config.read_text().replace(f"{site.config.parent}/control.sock", f"{folder}/x.sock"))
    program = [sys.executable if os.access("/root", os.X_OK) else "python3", "-c", ready, f"{folder}/x.sock"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as thief:
        assert thief.stdout is not None
        thief.stdout.readline()
        status, said = command(site, "unlock", typed=f"{WORDS}\n")
    assert (status, "user 12345 serves this socket" in said) == (2, True)
    assert thief.returncode == 0, "nothing was told"
