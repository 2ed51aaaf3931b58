"""`audit verify`: what an attacker who may write the file can do, and what is found of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.chain import FIELDS
from kiosk.domain.errors import GalleryError
from kiosk.storage import verification
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import Signer, open_signer
from kiosk.storage.database import Store, in_memory
from kiosk.storage.migrations import AUDIT_GUARDS
from kiosk.storage.vault import KEY_BYTES, Vault
from kiosk.storage.verification import verify
from tests.storage.chains import VAULT, Values, a_real_log, chained, everything, put, sign, unguarded
from tests.storage.conftest import NOON, a_decision

DETAIL = 1 + FIELDS.index("detail")
KINDS = ("edit", "remove", "swap", "insert")


def edited(rows: list[Values], data: st.DataObject, upto: int) -> tuple[list[Values], str]:
    """One change to one of the first `upto` records."""
    rows = [list(row) for row in rows]
    kind = data.draw(st.sampled_from(KINDS))
    place = data.draw(st.integers(0, upto - 1))
    if kind == "edit":
        column = data.draw(st.integers(1, len(FIELDS)))
        old = rows[place][column]
        new: object = 7 if FIELDS[column - 1] == "boot_us" else data.draw(st.sampled_from(["x", '{"score":1}', ""]))
        rows[place][column] = new if new != old else "y"
    elif kind == "remove":
        del rows[place]
    elif kind == "swap":
        other = data.draw(st.integers(0, upto - 1).filter(lambda n: n != place))
        rows[place][1:], rows[other][1:] = rows[other][1:], rows[place][1:]
    else:
        extra = list(rows[place])
        extra[1 + FIELDS.index("record_id")] = "f" * 32
        rows.insert(place, extra)
        rows = [[number, *row[1:]] for number, row in enumerate(rows, 1)]
    return rows, kind


def test_a_log_as_the_kiosk_wrote_it_is_good() -> None:
    store, signer, checkpoints = a_real_log()
    read: list[int] = []
    verdict = verify(store, checkpoints, [signer.public], read.append)
    assert (verdict.good, verdict.faults) == (True, [])
    assert (verdict.first, verdict.last, verdict.records, sum(read)) == (1, 25, 25, 25)
    assert (verdict.checkpoints, verdict.newest, verdict.newest_record) == (3, checkpoints[-1], 23)
    assert (verdict.keys, verdict.compared, verdict.out_of_reach, verdict.cut) == ([signer.public], 3, 0, None)
    assert verify(in_memory()).good


def test_it_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    store, _, checkpoints = a_real_log()
    monkeypatch.setattr(verification, "PAGE", 3)
    read: list[int] = []
    assert verify(store, checkpoints, step=read.append).good
    assert read == [3] * 8 + [1]


@settings(max_examples=60)
@given(st.data())
def test_any_single_change_is_found_with_nothing_from_elsewhere(data: st.DataObject) -> None:
    """By somebody who leaves the later records as they are. Only a cut end needs a checkpoint from elsewhere."""
    store, _, _ = a_real_log()
    rows = everything(store)
    changed, kind = edited(rows, data, len(rows) - 1 if data.draw(st.booleans()) else len(rows))
    if kind == "remove" and len(changed) and changed[-1][0] != rows[-1][0]:
        return  # the last record: a cut end
    put(store, changed)
    assert not verify(store).good


@settings(max_examples=60)
@given(st.data())
def test_a_log_that_was_written_anew_does_not_fit_its_own_checkpoints(data: st.DataObject) -> None:
    """By somebody who has no key and makes all later hashes fit: as far as the newest checkpoint in the log."""
    store, _, checkpoints = a_real_log()
    changed, _ = edited(everything(store), data, checkpoints[-1].number)
    put(store, chained(changed))
    verdict = verify(store)
    assert not verdict.good
    assert not any("is not what was written there" in fault.message for fault in verdict.faults), "the hashes do fit"


@settings(max_examples=40)
@given(st.data())
def test_a_log_that_was_signed_anew_does_not_fit_what_is_held_elsewhere(data: st.DataObject) -> None:
    """By root, who has the key too, and a whole other story from some record on: as far as the checkpoint held."""
    store, signer, checkpoints = a_real_log()
    held = data.draw(st.sampled_from(checkpoints))
    kept = data.draw(st.integers(0, held.number - 1))
    put(store, everything(store)[:kept])
    signer = open_signer(store, VAULT)
    for number in range(data.draw(st.integers(1, 30))):
        Audit(store).append([AuditRecord(AuditKind.DOOR, NOON, outcome="closed", detail={"n": number})])
    sign(store, signer)
    assert verify(store, keys=[signer.public]).good, "he has the key: nothing in the log itself shows it"
    verdict = verify(store, [held], [signer.public])
    assert not verdict.good
    assert "held elsewhere" in verdict.faults[0].message


@settings(max_examples=40)
@given(st.integers(1, 25), st.integers(0, 2))
def test_a_cut_end_is_found_as_far_back_as_the_checkpoint_held_elsewhere(left: int, held: int) -> None:
    store, _, checkpoints = a_real_log()
    put(store, everything(store)[:left])
    checkpoint = checkpoints[held]
    verdict = verify(store, [checkpoint])
    assert verify(store).good
    assert verdict.good is (left >= checkpoint.number)
    if not verdict.good:
        assert f"ends with record {left}, and the checkpoint of 2026-03-01T12:00" in verdict.faults[0].message
        assert "the log's end was cut off" in verdict.faults[0].message


def test_an_emptied_log_is_found() -> None:
    store, _, checkpoints = a_real_log()
    put(store, [])
    assert "the log's end was cut off" in verify(store, checkpoints[:1]).faults[0].message


def test_somebody_else_s_signature_is_found_when_the_key_is_named() -> None:
    store, signer, checkpoints = a_real_log()
    rows = everything(store)
    rows[3][DETAIL] = '{"score":0.9}'
    own = open_signer(in_memory(), Vault(bytes([1] * KEY_BYTES)))
    rows = resigned(store, rows, own)
    put(store, rows)
    assert verify(store).good, "the log alone cannot show it"
    assert verify(store).keys == [own.public]
    named = verify(store, keys=[signer.public])
    assert (
        named.faults[0].message == f"the checkpoint in record 9 is signed with another key than was named: {own.public}"
    )
    assert "the log up to there was written anew" in verify(store, checkpoints[:1]).faults[0].message


def resigned(store: Store, rows: list[Values], signer: Signer) -> list[Values]:
    """As an attacker would who has read the source: all hashes, and all checkpoints by a key of his own."""
    for place, row in enumerate(rows):
        if row[1] == "checkpoint":
            so_far = chained(rows)
            number = json.loads(str(row[DETAIL]))["number"]
            link = so_far[number - 1][-1]
            assert isinstance(link, bytes)
            rows[place][DETAIL] = json.dumps(signer.sign(number, link, NOON).row())
    return chained(rows)


@pytest.mark.parametrize("purpose", ["checkpoint", "cut"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signature": "00" * 64}, "is not signed with the key that it names"),
        ({"at": "2027-03-01T12:00:00.000000+00:00"}, "is not signed with the key that it names"),
        ({"key": "zz"}, "cannot be read"),
    ],
)
def test_a_checkpoint_that_was_made_up_is_found(purpose: str, change: dict[str, str], message: str) -> None:
    store, signer, _ = a_real_log()
    number, link = 3, b"\x01" * 32
    row = {**signer.sign(number, link, NOON, purpose).row(), **change}
    kind, outcome = (AuditKind.CHAIN, "cut") if purpose == "cut" else (AuditKind.CHECKPOINT, None)
    Audit(store).append([AuditRecord(kind, NOON, outcome=outcome, detail=dict(row))])
    assert f"the {purpose} in record 26 {message}" in verify(store).faults[-1].message


def test_a_checkpoint_of_a_record_to_come_is_found() -> None:
    store, signer, _ = a_real_log()
    row = signer.sign(500, bytes(32), NOON).row()
    Audit(store).append([AuditRecord(AuditKind.CHECKPOINT, NOON, detail=dict(row))])
    assert "covers record 500, which came after it" in verify(store).faults[0].message


@pytest.mark.parametrize("name", AUDIT_GUARDS)
def test_a_dropped_or_changed_trigger_is_found(name: str) -> None:
    store, _, _ = a_real_log()
    store.execute(f"DROP TRIGGER {name}")
    assert f"the trigger {name} is gone" in verify(store).faults[0].message
    store.execute(AUDIT_GUARDS[name].replace("ABORT", "FAIL"))
    assert f"the trigger {name} is another than the kiosk's" in verify(store).faults[0].message
    store.execute(f"DROP TRIGGER {name}")
    store.execute(AUDIT_GUARDS[name])
    assert verify(store).good
    store.execute("CREATE TRIGGER quiet BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END")
    assert "there is a trigger quiet on the audit log" in verify(store).faults[0].message


def test_text_that_is_no_text_is_a_changed_record() -> None:
    store, _, _ = a_real_log()
    with unguarded(store):
        store.execute("UPDATE audit SET reason = CAST(x'ff00' AS TEXT) WHERE id = 4")
    assert [fault.number for fault in verify(store).faults] == [4]


def test_records_that_come_while_it_is_read_disturb_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store, _, checkpoints = a_real_log()
    monkeypatch.setattr(verification, "PAGE", 10)
    late = [a_decision("late 1"), a_decision("late 2")]

    def meanwhile(_: int) -> None:
        if late:
            Audit(store).append([late.pop()])

    verdict = verify(store, checkpoints, step=meanwhile)
    assert (verdict.good, verdict.records) == (True, 27)


def test_a_log_without_a_chain_says_so() -> None:
    store = in_memory()
    with unguarded(store):
        store.execute("ALTER TABLE audit RENAME COLUMN hash TO hush")
        with pytest.raises(GalleryError, match="has no chain yet: start the kiosk of this version once"):
            verify(store)
        store.execute("ALTER TABLE audit RENAME COLUMN hush TO hash")


def test_the_time_of_a_record_does_not_matter_to_the_chain() -> None:
    store, _, _ = a_real_log()
    Audit(store).append([AuditRecord(AuditKind.CLOCK, NOON - timedelta(days=900), outcome="accepted")])
    assert verify(store).good
