"""Makes galleries as earlier kiosks left them: each form that main ever had, with people in it."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlite_utils import Database

from kiosk.storage.home import Home
from kiosk.storage.migrations import MIGRATIONS
from kiosk.storage.vault import Vault, _associated
from tests.storage.conftest import MODEL, a_template

KEY = bytes(range(32))
ADA, BEN = "00000000000000ad", "00000000000000be"
CREATED = "2026-01-01T08:00:00.000000+00:00"
"""When Ada was enrolled. Ben was enrolled an hour earlier, but stored later."""
STEPS = ["m0001_first", "m0002_badge", "m0003_record_id"]


def make(home: Home, steps: Sequence[str] = STEPS, demonstration: bool = False) -> None:
    """Fills a home with a gallery of these steps: Ada (two references, valid until 2099), Ben (one, disabled, badge 7
    where badges exist) and one audit record."""
    home.prepare()
    home.key.write_bytes(KEY)
    home.key.chmod(0o600)
    with closing(sqlite3.connect(home.database)) as connection:
        db = Database(connection, execute_plugins=False)
        MIGRATIONS.apply(db, stop_before=_next(steps[-1]))
        badge = {"badge": 7} if "m0002_badge" in steps else {}
        db["subject"].insert(
            {"id": ADA, "name": "Ada Zwicky", "created_at": CREATED, "valid_until": "2099" + CREATED[4:]}
        )
        db["subject"].insert(
            {"id": BEN, "name": "Ben", "created_at": CREATED.replace("T08", "T07"), "disabled": 1, **badge}
        )
        for number, (subject, seed) in enumerate([(ADA, 1), (ADA, 2), (BEN, 3)]):
            db["reference"].insert(
                {
                    "id": f"r{number}",
                    "subject_id": subject,
                    "model_id": MODEL,
                    "template": sealed(seed, f"r{number}", subject),
                    "quality": 0.5,
                    "created_at": CREATED,
                }
            )
        db["meta"].insert({"key": "vault_check", "value": Vault(KEY).make_check()})
        if demonstration:
            db["meta"].insert({"key": "demonstration", "value": 1})
        db["audit"].insert(
            {"kind": "enrolment", "wall_at": CREATED, "subject_id": ADA, "outcome": "enrolled", "detail": "{}"}
        )
        connection.commit()


SEALED_STEPS = [*STEPS, "m0005_sealed", "m0006_audit_chain"]


def make_sealed(home: Home, steps: Sequence[str] = tuple(SEALED_STEPS), people: bool = True) -> None:
    """Fills a home with a demonstration's gallery whose rows were sealed, but whose templates were not turned: Ada (two
    references), Ben (one, badge 7). Written as the kiosk of that time wrote it, on purpose without its code."""
    home.prepare()
    home.key.write_bytes(KEY)
    home.key.chmod(0o600)
    with closing(sqlite3.connect(home.database)) as connection:
        db = Database(connection, execute_plugins=False)
        MIGRATIONS.apply(db, stop_before=_next(steps[-1]))
        members = ((ADA, "Ada Zwicky", None, (1, 2)), (BEN, "Ben", 7, (3,))) if people else ()
        number = 0
        for version, (subject, name, badge, seeds) in enumerate(members, start=2):
            own = bytes([version]) * 32
            names = [f"r{number + k}" for k in range(len(seeds))]
            number += len(seeds)
            value = {"name": name, "created_at": CREATED, "disabled": False, "valid_from": None, "valid_until": None}
            record = json.dumps({**value, "badge": badge, "references": names}).encode()
            db["subject"].insert(
                {
                    "id": subject,
                    "key": wrapped(KEY, own, "the key of subject", subject),
                    "sealed": wrapped(own, record, "subject", subject, "version", str(version)),
                }
            )
            for seed, reference in zip(seeds, names, strict=True):
                data = a_template(seed).tobytes() + struct.pack(">d", 0.5) + CREATED.encode()
                bound = ("reference", reference, "of subject", subject, "of model", MODEL)
                row = {"id": reference, "subject_id": subject, "model_id": MODEL}
                db["reference"].insert({**row, "sealed": wrapped(own, data, *bound)})
        roster = json.dumps(["0123456789abcdef", 3, True, {ADA: 2, BEN: 3} if people else {}]).encode()
        db["meta"].insert({"key": "vault_check", "value": wrapped(KEY, b"", "check")})
        db["meta"].insert({"key": "roster", "value": wrapped(KEY, roster, "the roster")})
        db["meta"].upsert({"key": "gallery_version", "value": 3}, pk="key")
        connection.commit()


def wrapped(key: bytes, data: bytes, *bound: str) -> bytes:
    """As `Vault.wrap` has always done."""
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, data, _associated(bound))


def sealed(seed: int, reference: str, subject: str) -> bytes:
    """A template as it was sealed with the master key itself."""
    nonce = os.urandom(12)
    data = AESGCM(KEY).encrypt(nonce, a_template(seed).tobytes(), _associated(("template", reference, subject, MODEL)))
    return b"\x01" + nonce + data


def _next(step: str) -> str:
    names = [migration.name for migration in MIGRATIONS.pending(Database(memory=True))]
    return names[names.index(step) + 1]
