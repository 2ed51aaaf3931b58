"""Every file that the programs read: the configuration, the networks' manifest, secrets, the door's and the notifiers'
files. Malformed ones end in a refusal of one line, or in what could be saved of them. How many inputs: attack.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kiosk import config, plugins
from kiosk.domain.door.events import DoorEventKind, DoorNews
from kiosk.domain.errors import KioskError, ModelError, NotifierError
from kiosk.domain.ids import new_id
from kiosk.domain.notices import Notice
from kiosk.door import daemon
from kiosk.door.spool import FILE, Spool
from kiosk.notifiers.secrets import read_secret
from kiosk.notifiers.webhook import key_of
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox, Place, standing_of
from kiosk.section import PluginSection
from kiosk.sections import PolicyConfig
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import thresholds
from tests.hostile.attack import altered, attack, bent, extent, odd
from tests.ids import id_of

SHIPPED = Path(__file__).parents[2] / "deploy" / "kiosk.toml"


def toml(value: Any) -> str:
    """A value as TOML has it, as far as it can: what has no form there becomes something that is refused."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case dict():
            return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)


def document(tables: Any) -> bytes:
    """A TOML document."""
    if not isinstance(tables, dict):
        return toml(tables).encode("utf-8", "surrogatepass")
    text = "\n".join(f"{json.dumps(k)} = {toml(v)}" for k, v in tables.items())
    return text.encode("utf-8", "surrogatepass")


TABLES: list[Any] = [
    tomllib.loads(SHIPPED.read_text("utf-8")),
    {
        "kiosk": {"home": "/nowhere"},
        "camera": {"kind": "usb", "device": "/dev/video0", "rotate": 90, "fps": 30.0},
        "lock": {"kind": "simulated", "inputs": True},
        "door": {"name": "main", "socket": "/nowhere/door.sock", "operators": ["root"], "relock": "closing"},
        "quality": {"min_face": 64, "guide": 0.8},
        "attempt": {"needed": 3, "window": 5, "seconds": 3.0},
        "policy": {"fpir": 0.001, "threshold": 0.5, "refusals_an_hour": 30, "grant_seconds": 1.5},
        "models": {"threads": 2, "pad": ["pad-2.7"]},
        "notify": {"outbox": "/nowhere/outbox.db", "capacity": 1000},
        "notifiers": {
            "hook": {"kind": "webhook", "url": "https://localhost/", "secret_file": "/nowhere/secret"},
            "broker": {"kind": "mqtt", "host": "localhost", "username": "a", "password_file": "/nowhere/b"},
            "led": {"kind": "led", "alarms_only": True},
        },
    },
    {"panel": {"kind": "osdp", "device": "/dev/null", "facility": 7, "card_bits": 26}, "door": {"name": "side"}},
    {"lock": {"kind": "gpio", "chip": "/dev/null", "line": 4, "active_low": False, "fail_mode": "secure"}},
    {"lock": {"kind": "usb-hid", "serial": "ABCDE", "relay": 1}, "door": {"name": "back"}},
]


def some_toml(chance: random.Random) -> bytes:
    """A configuration."""
    match chance.randrange(10):
        case 0:
            return chance.randbytes(chance.randrange(300))
        case 1:
            return chance.choice([b"a.", b"[a.", b"[[a]]\n", b"x = [", b"x = {a=", b'"', b"#"]) * chance.randint(
                1, 3000
            )
        case 2:
            return b"[policy]\nfpir = " + chance.choice([b"9", b"1e", b"0x", b"-", b"1_"]) * chance.randint(1, 5000)
        case 3 | 4:
            return bent(chance, SHIPPED.read_bytes())
        case 5:
            return bent(chance, document(chance.choice(TABLES)))
        case _:
            return document(altered(chance, chance.choice(TABLES)))


def check_config(settings: config.Config) -> None:
    """What the programs do with a configuration before they touch anything outside."""
    _ = settings.sha256, settings.drives_a_real_lock, settings.door.events
    assert settings.policy.fpir <= 0.1
    assert 0 < settings.policy.grant_seconds <= 1.5
    assert settings.attempt.needed <= settings.attempt.window
    daemon.rules_of(settings.door)
    daemon.refuse_nameless(settings)
    sections: dict[str, Iterable[PluginSection | None]] = {
        "cameras": [settings.camera],
        "locks": [settings.lock],
        "panels": [settings.panel],
        "notifiers": settings.notifiers.values(),
    }
    for group, found in sections.items():
        for section in found:
            if section is not None:
                with suppress(KioskError):
                    plugins.configured(group, section)
    daemon.users_of(settings.door)


@extent
def test_configurations(extent: float, tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"

    def body(content: bytes) -> None:
        path.write_bytes(content)
        check_config(config.read(path))

    attack(8_000, extent, some_toml, body, tmp_path)


@extent
def test_overrides_by_the_environment(extent: float, tmp_path: Path) -> None:
    def some(chance: random.Random) -> dict[str, str]:
        keys = ["KIOSK_POLICY__FPIR", "KIOSK_DOOR__SOCKET", "KIOSK_LOCK__KIND", "KIOSK_NOTIFIERS__A", "KIOSK___",
                "KIOSK_CAMERA__", "KIOSK_X__Y__Z", "KIOSK_ATTEMPT__NEEDED", f"KIOSK_{odd(chance, 0)}__A"]  # fmt: skip
        value = odd(chance)
        return {chance.choice(keys): toml(value) if chance.random() < 0.7 else str(value)}

    attack(4_000, extent, some, lambda environ: check_config(config.parse("", "it", environ)), tmp_path)


@extent
def test_manifests(extent: float, tmp_path: Path) -> None:
    real = (default_folder() / "manifest.toml").read_bytes()
    tables = tomllib.loads(real.decode())

    def some(chance: random.Random) -> bytes:
        match chance.randrange(8):
            case 0:
                return some_toml(chance)
            case 1 | 2 | 3:
                return bent(chance, real)
            case _:
                return document(altered(chance, tables))

    def body(content: bytes) -> None:
        (tmp_path / "manifest.toml").write_bytes(content)
        for entry in Manifest(tmp_path).entries:
            if isinstance(entry, EmbedderEntry):
                with suppress(ModelError):
                    found = thresholds(entry, PolicyConfig())
                    for subjects in (1, 1000, 1_000_000):
                        assert -1 < found.for_gallery({1: subjects}).score <= 1

    attack(3_000, extent, some, body, tmp_path)


@pytest.mark.parametrize("content", [b"x = " + b"[" * 5000, b"x = " + b"9" * 5000, b"# " + b"x" * (9 << 20)])
def test_a_manifest_that_is_deep_or_large_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_bytes(content)
    with pytest.raises(ModelError, match="list of models"):
        Manifest(tmp_path)


def test_a_manifest_that_is_a_pipe_stops_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.toml")
    with pytest.raises(ModelError, match="no plain file"):
        Manifest(tmp_path)


@extent
def test_secrets(extent: float, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o600)

    def some(chance: random.Random) -> bytes:
        good = b"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        return chance.choice([bent(chance, good), chance.randbytes(chance.randrange(100)), good * 10_000])

    def body(content: bytes) -> None:
        path.write_bytes(content)
        assert key_of(read_secret(path), path)

    attack(2_000, extent, some, body, tmp_path)


def test_a_secret_that_is_a_pipe_or_without_end_stops_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "large").write_bytes(b"x" * (2 << 20))
    (tmp_path / "large").chmod(0o600)
    for name in ("pipe", "large"):
        with pytest.raises(NotifierError):
            read_secret(tmp_path / name)
    with pytest.raises(NotifierError):
        read_secret(Path("/dev/zero"))


def door_lines() -> list[Any]:
    """What the door's file of events holds."""
    event = {
        "type": "event", "sequence": 1, "id": id_of("event"), "kind": "released", "door": "main",
        "wall_at": "2026-03-01T12:00:00Z", "at": 5.0, "grant_id": id_of("grant"), "reason": "", "uid": 1000,
    }  # fmt: skip
    return [
        {"type": "next", "sequence": 3},
        {"type": "acknowledge", "subscriber": "audit-log", "sequence": 0, "uid": None},
        {"type": "acknowledge", "subscriber": "other", "sequence": 0, "uid": 1000},
        event,
        {**event, "sequence": 2, "id": id_of("other event")},
    ]


@extent
def test_files_of_the_doors_events(extent: float, tmp_path: Path) -> None:
    """The door starts whatever its file holds, numbers on, and can be subscribed to."""
    path = tmp_path / FILE

    def some(chance: random.Random) -> bytes:
        lines = [json.dumps(line).encode() for line in door_lines()]
        match chance.randrange(5):
            case 0:
                return bent(chance, b"\n".join(lines) + b"\n")
            case 1:
                lines.insert(chance.randrange(6), chance.choice([b"[", b'{"type":', b"\xff", b"\0"]) * 3000)
            case _:
                n = chance.randrange(5)
                lines[n] = json.dumps(altered(chance, door_lines()[n])).encode()
        return b"\n".join(lines) + b"\n"

    def body(content: bytes) -> None:
        path.write_bytes(content)
        with closing(Spool(tmp_path, "main")) as spool:
            spool.forget_others(frozenset({1000}))
            event = spool.append(DoorNews(DoorEventKind.FORCED_OPEN, 1.0))
            with suppress(KioskError):
                spool.subscribe("other", 1000)
            for name in ("audit-log", "somebody"):
                assert spool.subscribe(name, None) < event.sequence, "it would never be told of what comes"
        again = Spool(tmp_path, "main")
        assert event.id in {e.id for e in again._events.values()}
        again.close()

    attack(3_000, extent, some, body, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "event", "x": ' + b"[" * 100_000,
        b'{"type": "next", "sequence": 1e999}',
        b'{"type": "next", "sequence": 9223372036854775807}',
        b'{"type": "acknowledge", "subscriber": "audit-log", "sequence": 1e999}',
        b'{"type": "acknowledge", "subscriber": "audit-log", "sequence": 900}',
    ],
)
def test_a_line_that_the_door_cannot_have_written_loses_no_event(line: bytes, tmp_path: Path) -> None:
    lines = [*(json.dumps(row).encode() for row in door_lines()), line]
    (tmp_path / FILE).write_bytes(b"\n".join(lines) + b"\n")
    with closing(Spool(tmp_path, "main")) as spool:
        event = spool.append(DoorNews(DoorEventKind.FORCED_OPEN, 1.0))
        assert event.sequence == 3
        assert spool.subscribe("audit-log", None) < 3


# The outbox


def outbox_at(path: Path) -> Outbox:
    return Outbox(path, "main", 50, {"a": False, "b": True})


@pytest.fixture(scope="module")
def outbox_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An outbox with some notices, closed."""
    path = tmp_path_factory.mktemp("outbox") / "outbox.db"
    with claimed(path), closing(outbox_at(path)) as outbox:
        outbox.forget_removed_notifiers()
        for n in range(20):
            kind = ["door.forced_open", "kiosk.granted", "door.fault", "kiosk.started"][n % 4]
            outbox.put(Notice(new_id(), kind, "main", datetime.now(UTC), urgent=n % 2 == 0), Place("door", "", 2 * n))
    return path.read_bytes()


OUTBOX_EDITS = [
    "UPDATE waiting SET body = ? WHERE position % 2",
    "UPDATE waiting SET notifier = ?",
    "UPDATE waiting SET id = ?",
    "UPDATE waiting SET urgent = ?",
    "UPDATE waiting SET sealed = ?",
    "UPDATE gap SET count = ?",
    "UPDATE gap SET reason = ?",
    "UPDATE source SET sequence = ?",
    "UPDATE source SET run = ?",
    "UPDATE present SET conditions = ?",
    "UPDATE health SET dropped = ?",
    "UPDATE health SET trouble = ?",
    "UPDATE seen SET position = ?",
    "INSERT INTO seen (position, id) VALUES (9223372036854775807, ?)",
    "INSERT INTO waiting (position, notifier, id, urgent, body) VALUES (9223372036854775807, 'a', 'x', 1, ?)",
    "INSERT INTO waiting (position, notifier, id, urgent, body) VALUES (-9223372036854775808, 'a', 'x', 1, ?)",
    "UPDATE sqlite_master SET sql = ? WHERE name = 'waiting'",
    "DROP TABLE waiting",
    "DROP TABLE source",
    "DROP TABLE health",
    "CREATE TRIGGER evil BEFORE INSERT ON waiting BEGIN SELECT RAISE(IGNORE); END",
    "ALTER TABLE waiting ADD COLUMN more TEXT",
    "PRAGMA user_version = 99",
]


def edited(path: Path, chance: random.Random, edits: list[str], steps: int = 3) -> None:
    """The database with some of these statements run over it, as whoever has the file could."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("writable_schema=ON", "ignore_check_constraints=ON", "foreign_keys=OFF", "defensive=OFF"):
            db.execute(f"PRAGMA {pragma}")
        for _ in range(chance.randint(1, steps)):
            sql = chance.choice(edits)
            value = odd(chance, 2)
            if isinstance(value, dict | list):
                value = json.dumps(value)
            if isinstance(value, str) and chance.random() < 0.2:
                value = value.encode("utf-8", "surrogatepass")
            with suppress(sqlite3.Error, OverflowError, UnicodeError):
                db.execute(sql, [value] if "?" in sql else [])


def damaged(content: bytes, path: Path, chance: random.Random, edits: list[str]) -> None:
    """The file with flipped bits, or with statements run over it."""
    for name in path.parent.iterdir():
        name.unlink()
    path.write_bytes(bent(chance, content, 8) if chance.random() < 0.3 else content)
    path.chmod(0o600)
    if chance.random() < 0.8:
        with suppress(sqlite3.Error):
            edited(path, chance, edits)


@pytest.fixture
def shm() -> Iterator[Path]:
    """A folder in memory, because nothing here has to last."""
    shared = Path("/dev/shm")
    if not (shared.is_dir() and os.access(shared, os.W_OK)):
        pytest.skip("there is no /dev/shm")
    folder = shared / f"kiosk-hostile-{os.getpid()}"
    folder.mkdir()
    yield folder
    for name in folder.iterdir():
        name.unlink()
    folder.rmdir()


@extent
def test_outboxes(extent: float, shm: Path, outbox_file: bytes) -> None:
    path = shm / "outbox.db"

    def body(seed: int) -> None:
        damaged(outbox_file, path, random.Random(seed), OUTBOX_EDITS)
        with suppress(KioskError):
            standing_of(path)
        with claimed(path), closing(outbox_at(path)) as outbox:
            outbox.forget_removed_notifiers()
            outbox.put(Notice(new_id(), "door.fault", "main", datetime.now(UTC), urgent=True), Place("door", "", 99))
            outbox.present()
            for _ in range(60):
                if (head := outbox.head("a")) is None:
                    break
                outbox.done(head)
            outbox.standing()

    attack(4_000, extent, lambda chance: chance.getrandbits(64), body, shm)


def test_many_notices_that_cannot_be_read_stop_nothing(tmp_path: Path, outbox_file: bytes) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(outbox_file)
    with closing(sqlite3.connect(path)) as db, db:
        rows = [("a", hashlib.sha256(str(n).encode()).hexdigest(), "no notice") for n in range(1500)]
        db.executemany("INSERT INTO waiting (notifier, id, urgent, body) VALUES (?, ?, 0, ?)", rows)
        db.execute("DELETE FROM waiting WHERE position <= 40")
    with claimed(path), closing(outbox_at(path)) as outbox:
        outbox.forget_removed_notifiers()
        head = outbox.head("a")
        assert head is None or head.notice.kind
