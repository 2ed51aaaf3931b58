"""Only SQLite opens a database file, and a reader changes nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import kiosk
from kiosk.domain.audit import AuditKind
from kiosk.domain.errors import GalleryError
from kiosk.notify.outbox import Outbox
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system import sqlite_file
from kiosk.system.sqlite_file import Look
from tests.storage.conftest import Mount, a_decision, a_reference, small_disk

__all__ = ["small_disk"]

KILLED = """
import os, sys
from pathlib import Path
from tests.storage.conftest import a_decision, a_reference
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
gallery = open_gallery(Home(Path(sys.argv[1])))
gallery.add_subject("Ada", [a_reference(1)])
Audit(gallery.store).append([a_decision("g1")])
os._exit(9)
"""

OPENED = """
import sys
opened = []
def hear(event, args):
    name = args[0] if event == "open" else None
    if isinstance(name, (str, bytes)):
        opened.append(name.decode() if isinstance(name, bytes) else name)
sys.addaudithook(hear)

from pathlib import Path
from click.testing import CliRunner
from kiosk.cli import cli
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox, standing_of
from kiosk.station.writer import Writer
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import a_decision, a_reference

folder = Path(sys.argv[1])
home = Home(folder / "home")
def run(*arguments):
    result = CliRunner().invoke(cli, ["--home", str(home.folder), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output
with claimed(folder / "outbox.db"):
    Outbox(folder / "outbox.db", "main", 10, {"a": False}).close()
    standing_of(folder / "outbox.db")
gallery = open_gallery(home)
gallery.add_subject("Ada", [a_reference(1)])
writer = Writer.at(home.database, lambda: 0.0, 30.0)
writer.start()
writer.append([a_decision("g1")])
assert "Ada" in run("subjects", "list")
home.database.chmod(0o644)
assert "disabled" in run("subjects", "disable", "Ada")
assert "g1" not in run("audit", "show", "--grant", "0" * 32)
run("doctor")
assert "erased" in run("subjects", "erase", "--yes", "Ada")
writer.stop()
gallery.close()
mine = {"gallery.db", "gallery.db-wal", "gallery.db-shm", "outbox.db", "outbox.db-wal", "outbox.db-shm"}
assert any(name.endswith("gallery.key") for name in opened), "the hook hears nothing"
print([name for name in opened if name.rpartition("/")[2] in mine])
"""


def locks_on(path: Path) -> set[str]:
    """READ and WRITE locks of this process, as the kernel has them."""
    inode = path.stat().st_ino
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {row[3] for row in rows if row[1] == "POSIX" and row[4] == str(os.getpid()) and row[5].endswith(f":{inode}")}


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of all files. For tests in which this process has none of them open."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def left_behind(home: Home) -> Home:
    """Ada and a decision are only in the -wal, and nobody is connected: the kiosk was killed."""
    process = subprocess.run([sys.executable, "-c", KILLED, home.folder], cwd=Path(__file__).parents[2], check=False)
    assert process.returncode == 9
    assert (home.folder / "gallery.db-wal").stat().st_size > 0
    return home


def _names_and_grants(home: Home) -> tuple[list[str], list[str | None]]:
    with closing(open_gallery(home, read_only=True)) as gallery:
        decisions = Audit(gallery.store).records(kinds=(AuditKind.DECISION,))
        return [s.name for s in gallery.subjects()], [r.grant_id for r in decisions]


def test_one_process_opens_and_closes_as_often_as_it_likes_and_keeps_its_locks(home: Home) -> None:
    with closing(open_gallery(home)):
        before = locks_on(home.database), locks_on(home.folder / "gallery.db-shm")
        assert before == ({"READ"}, {"READ"})
        for _ in range(5):
            open_gallery(home).close()
            open_gallery(home, read_only=True).close()
            assert (locks_on(home.database), locks_on(home.folder / "gallery.db-shm")) == before


def test_the_outbox_keeps_its_locks_too(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with closing(Outbox(path, "main", 10, {"a": False})):
        assert locks_on(path) == {"READ"}
        Outbox(path, "main", 10, {"a": False}).close()
        assert locks_on(path) == {"READ"}


def test_no_descriptor_on_a_database_but_sqlite_s_own(tmp_path: Path) -> None:
    """The interpreter tells of each file that is opened by anything but SQLite."""
    command = [sys.executable, "-c", OPENED, tmp_path]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_four_processes_that_make_it_at_once_make_one(home: Home) -> None:
    home.prepare()
    code = (
        "import sys; from pathlib import Path; from kiosk.storage.database import open_database; print(flush=True);"
        "sys.stdin.readline(); store = open_database(Path(sys.argv[1])); print(store.path.stat().st_ino, flush=True);"
        "sys.stdin.readline(); store.confirm()"
    )
    command = [sys.executable, "-c", code, home.database]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(4)
    ]

    def say_and_hear(say: str) -> list[str]:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(say)
        return [process.stdout.readline() for process in processes if process.stdout is not None]

    say_and_hear("")
    inodes = say_and_hear("go\n")
    assert set(inodes) == {f"{home.database.stat().st_ino}\n"}
    assert [process.communicate("end\n") and process.returncode for process in processes] == [0] * 4
    assert [p.name for p in home.folder.iterdir()] == ["gallery.db"]


def test_a_link_and_a_folder_are_no_database_and_stay_what_they_are(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    target.chmod(0o644)
    (tmp_path / "link.db").symlink_to(target)
    (tmp_path / "dangling.db").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.db").mkdir()
    for name in ("link.db", "dangling.db", "folder.db"):
        with pytest.raises(GalleryError, match="no regular file"):
            open_database(tmp_path / name)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"mine", 0o644)
    assert not (tmp_path / "nowhere").exists()


def test_looking_at_a_quiet_gallery_changes_nothing(home: Home) -> None:
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
    before = everything(home.folder)
    assert _names_and_grants(home) == (["Ada"], [])
    assert everything(home.folder) == before
    assert set(before) == {"gallery.db", "gallery.key"}


@pytest.mark.parametrize("index", [True, False])
def test_looking_after_a_kill_finds_what_only_the_wal_has_and_keeps_it(left_behind: Home, index: bool) -> None:
    if not index:
        (left_behind.folder / "gallery.db-shm").unlink()
    kept = {name: what for name, what in everything(left_behind.folder).items() if name != "gallery.db-shm"}
    assert _names_and_grants(left_behind) == (["Ada"], ["g1"])
    after = everything(left_behind.folder)
    assert ("gallery.db-shm" in after) is index
    assert {name: what for name, what in after.items() if name != "gallery.db-shm"} == kept


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("state", ["read-only", "full"])
@pytest.mark.parametrize("killed", [True, False])
def test_looking_needs_no_room_and_no_right_to_write(
    left_behind: Home, small_disk: tuple[Path, Mount], state: str, index: bool, killed: bool
) -> None:
    folder, mount = small_disk
    folder.chmod(0o700)
    if not killed:
        open_gallery(left_behind).close()
    for file in left_behind.folder.iterdir():
        if index or file.name != "gallery.db-shm":
            (folder / file.name).write_bytes(file.read_bytes())
            (folder / file.name).chmod(0o600)
    if state == "full":
        with pytest.raises(OSError, match="No space"):
            (folder / "ballast").write_bytes(bytes(2**20))
    else:
        mount("-o", "remount,ro")
    assert _names_and_grants(Home(folder)) == (["Ada"], ["g1"])
    assert (folder / "gallery.db-wal").exists() is killed


@pytest.mark.parametrize("exclusive", ["IMMEDIATE", "EXCLUSIVE"])
def test_looking_goes_on_beside_somebody_else_s_transaction(home: Home, exclusive: str) -> None:
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
    with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
        other.execute(f"BEGIN {exclusive}")
        other.execute("DELETE FROM subject")
        assert _names_and_grants(home) == (["Ada"], [])
        assert locks_on(home.database) == {"READ"}


def test_what_was_read_while_somebody_came_is_read_again(home: Home) -> None:
    """The look begins at a file that nobody has open; then others write, and even close again."""
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
    with closing(open_gallery(home, read_only=True)) as looking:
        assert [s.name for s in looking.subjects()] == ["Ada"]
        with closing(open_gallery(home)) as gallery:
            gallery.add_subject("Ben", [a_reference(2)])
        assert [s.name for s in looking.subjects()] == ["Ada", "Ben"]
        with closing(open_gallery(home)) as gallery:
            gallery.add_subject("Cem", [a_reference(3)])
            assert [s.name for s in looking.subjects()] == ["Ada", "Ben", "Cem"]
            gallery.remove(gallery.find("Ada").id)
            assert [s.name for s in looking.subjects()] == ["Ben", "Cem"]


def test_a_file_that_is_never_quiet_is_told_of_and_not_read_for_ever(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_gallery(home).close()
    with closing(open_gallery(home, read_only=True)) as looking:
        monkeypatch.setattr(Look, "undisturbed", False)
        with pytest.raises(GalleryError, match="another command is writing"):
            looking.subjects()


def test_the_end_of_a_look_leaves_the_wal_of_who_writes(home: Home) -> None:
    with closing(open_gallery(home)) as kiosk:
        wal = home.folder / "gallery.db-wal"
        before = wal.stat().st_ino
        for _ in range(3):
            open_gallery(home, read_only=True).close()
            open_gallery(home).close()
        kiosk.add_subject("Ada", [a_reference(1)])
        assert wal.stat().st_ino == before


def test_the_wal_does_not_grow_beside_whoever_looks(home: Home) -> None:
    """A checkpoint goes past a reader that holds no transaction open."""
    with closing(open_gallery(home)) as gallery, closing(open_gallery(home, read_only=True)) as looking:
        gallery.store.execute("PRAGMA wal_autocheckpoint = 50")
        audit = Audit(gallery.store)
        for n in range(150):
            audit.append([a_decision(f"g{n}")] * 3)
            looking.subjects()
        assert (home.folder / "gallery.db-wal").stat().st_size < 150 * 4096


@pytest.fixture
def old_glibc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def unknown(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(os, "chmod", unknown)
    return None


@pytest.mark.usefixtures("old_glibc")
def test_a_mode_that_cannot_be_tightened_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "loose.db"
    path.touch(0o644)
    with pytest.raises(OSError, match="chmod 600"):
        sqlite_file.make(path)


def test_the_running_kiosk_never_looks_without_locks() -> None:
    """The end of such a look takes the locks of all connections of its process away."""
    for module in ("cli/run.py", "cli/front.py", "station/assembly.py"):
        text = (Path(kiosk.__file__).parent / module).read_text(encoding="utf-8")
        inside = [line for line in text.splitlines() if "read_only=True" in line and "def searchable" not in line]
        allowed = ["    return open_gallery(home, read_only=True)"] if module == "station/assembly.py" else []
        assert inside == allowed, module
