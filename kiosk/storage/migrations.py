"""The schema as a list of steps. Never edit a released step: add another one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from kiosk.domain.chain import FIELDS, START, digest
from kiosk.system.clock import boot_name, boottime

APPLICATION_ID = 0x4B694F73
"""Marks the file as a kiosk's gallery (PRAGMA application_id): "KiOs"."""

MIGRATIONS = Migrations("kiosk")

_TABLES = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value ANY
) STRICT;
CREATE TABLE subject (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    valid_from TEXT,
    valid_until TEXT
) STRICT;
CREATE TABLE reference (
    id TEXT PRIMARY KEY NOT NULL,
    subject_id TEXT NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    template BLOB NOT NULL,
    quality REAL NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX reference_subject ON reference (subject_id);
CREATE INDEX reference_model ON reference (model_id);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    wall_at TEXT NOT NULL,
    grant_id TEXT,
    subject_id TEXT,
    outcome TEXT,
    reason TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_grant ON audit (grant_id, kind) WHERE grant_id IS NOT NULL;
CREATE INDEX audit_wall_at ON audit (wall_at);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE VIEW audit_story AS
    SELECT decision.*, door.id AS door_id, door.kind AS door_kind, door.wall_at AS door_wall_at,
           door.grant_id AS door_grant_id, door.subject_id AS door_subject_id, door.outcome AS door_outcome,
           door.reason AS door_reason, door.detail AS door_detail
    FROM audit AS decision LEFT JOIN audit AS door ON door.id =
        (SELECT max(id) FROM audit AS o WHERE o.grant_id = decision.grant_id AND o.kind = 'outcome')
    WHERE decision.kind = 'decision';
INSERT INTO meta (key, value) VALUES ('gallery_version', 0);
"""

AUDIT_GUARDS = {
    "audit_no_update": (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit\n"
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    ),
    "audit_no_delete": (
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit\n"
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    ),
    "audit_chained": (
        "CREATE TRIGGER audit_chained BEFORE INSERT ON audit\n"
        "WHEN new.hash IS NULL OR new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM audit)\n"
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: a record continues its chain'); END"
    ),
}
"""The triggers of the audit log, as SQLite shows them. `kiosk audit verify` looks for each; only a cut takes one away,
for as long as it lasts."""

_COUNTER = """
CREATE TRIGGER {name} AFTER {change} ON {table}
BEGIN UPDATE meta SET value = value + 1 WHERE key = 'gallery_version'; END
"""


@MIGRATIONS()
def m0001_first(db: Database) -> None:
    """Subjects, references, the audit log, and a counter of all changes of the gallery."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.executescript(_TABLES)
    for table in ("subject", "reference"):
        for change in ("INSERT", "UPDATE", "DELETE"):
            db.execute(_COUNTER.format(name=f"{table}_{change.lower()}_counts", change=change, table=table))


@MIGRATIONS()
def m0002_badge(db: Database) -> None:
    """The number by which a panel knows a subject. A number belongs to at most one subject."""
    db.execute("ALTER TABLE subject ADD COLUMN badge INTEGER CHECK (badge > 0)")
    db.execute("CREATE UNIQUE INDEX subject_badge ON subject (badge)")


@MIGRATIONS()
def m0003_record_id(db: Database) -> None:
    """The id by which a record of the audit log is recognised when it is sent again. Older records have none."""
    db.execute("ALTER TABLE audit ADD COLUMN record_id TEXT")
    db.execute("CREATE UNIQUE INDEX audit_record_id ON audit (record_id)")


_SEALED = """
CREATE TABLE subject (
    id TEXT PRIMARY KEY NOT NULL,
    key BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE reference (
    id TEXT PRIMARY KEY NOT NULL,
    subject_id TEXT NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX reference_subject ON reference (subject_id);
CREATE INDEX reference_model ON reference (model_id)
"""


@MIGRATIONS()
def m0005_sealed(db: Database) -> None:
    """Sealed records of subjects instead of names, badges and validities in clear. The rows of before are kept in
    tables of their own until somebody opens the gallery with its key (storage.taking_over)."""
    for name in [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()]:
        if name.endswith("_counts"):
            db.execute(f"DROP TRIGGER {name}")
    for name in ("subject_badge", "reference_subject", "reference_model"):
        db.execute(f"DROP INDEX {name}")
    filled = db.execute("SELECT 1 FROM subject").fetchone()
    for table in ("reference", "subject"):
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_v1" if filled else f"DROP TABLE {table}")
    for statement in _SEALED.split(";"):
        db.execute(statement)


@MIGRATIONS()
def m0006_audit_chain(db: Database) -> None:
    """The chain of the audit log (domain.chain). What was recorded before it is hashed once, as it lies; the first
    record of the chain covers it."""
    for column in ("boot TEXT", "boot_us INTEGER", "hash BLOB"):
        db.execute(f"ALTER TABLE audit ADD COLUMN {column}")
    _begin_chain(db)
    db.execute(AUDIT_GUARDS["audit_chained"])


def _begin_chain(db: Database) -> None:
    older, previous, newest = 0, START, 0
    columns = ", ".join(f"CAST({field} AS BLOB)" for field in FIELDS)
    for number, *fields in db.execute(f"SELECT id, {columns} FROM audit ORDER BY id"):  # noqa: S608 - constants
        older, newest, previous = older + 1, number, digest(previous, number, fields)
    if not older:
        return
    now, boot, boot_us = datetime.now(UTC), boot_name(), int(boottime() * 1e6)
    wall_at = now.isoformat(timespec="microseconds")
    row = ("chain", wall_at, None, None, "begun", None, f'{{"older":{older}}}', uuid.uuid4().hex, boot)
    link = digest(previous, newest + 1, [*(None if v is None else v.encode() for v in row), str(boot_us).encode()])
    marks = ", ".join("?" for _ in (*FIELDS, "id", "hash"))
    db.execute(
        f"INSERT INTO audit (id, {', '.join(FIELDS)}, hash) VALUES ({marks})",  # noqa: S608 - constants
        [newest + 1, *row, boot_us, link],
    )


@MIGRATIONS()
def m0007_turned(db: Database) -> None:
    """From here on templates are turned by a matrix of the gallery. No table changes: this step keeps kiosks of before
    from reading turned templates. Whoever opens the gallery with its key turns them (storage.taking_over). A
    reader with the key waits for that (storage.unlock)."""


@MIGRATIONS()
def m0009_pin_try(db: Database) -> None:
    """Tries of PINs (storage.pins)."""
    db.execute(
        "CREATE TABLE pin_try (id INTEGER PRIMARY KEY, who TEXT NOT NULL, boot TEXT NOT NULL, "
        "boot_us INTEGER NOT NULL, wall_at TEXT NOT NULL, right INTEGER NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX pin_try_who ON pin_try (who, id)")


@MIGRATIONS()
def m0010_pass(db: Database) -> None:
    """Visitor passes (storage.passes). They end with their sponsor. This step also keeps kiosks of before from writing
    records without what they do not know: a duress PIN, or that a face alone is not enough."""
    db.execute(
        "CREATE TABLE pass (id TEXT PRIMARY KEY NOT NULL, "
        "sponsor TEXT NOT NULL REFERENCES subject (id) ON DELETE CASCADE, sealed BLOB NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX pass_sponsor ON pass (sponsor)")


UNSEEN = frozenset({"m0003_record_id", "m0006_audit_chain", "m0007_turned", "m0009_pin_try", "m0010_pass"})
"""Steps that a reader does not need: the gallery can be read before they are applied."""


def _known() -> frozenset[str]:
    empty = Database(memory=True)
    try:
        return frozenset(migration.name for migration in MIGRATIONS.pending(empty))
    finally:
        empty.close()


KNOWN = _known()
"""The steps of this program. Any other step in a file is from a newer program."""
