"""The words of the audit log stand in databases: they never change."""

from __future__ import annotations

from enum import StrEnum

import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, Command
from kiosk.domain.decision import Outcome
from kiosk.domain.door.grants import DoorResult
from kiosk.domain.door.state import Hand
from kiosk.domain.notices import UNEXPLAINED

GOLDEN: dict[type[StrEnum], str] = {
    AuditKind: "decision outcome door command clock attempts fault enrolment subject key backup start stop chain "
    "checkpoint visit staff duress study",
    AuditOutcome: "unknown paired accepted enrolled enrolled_again enabled disabled validity_changed badge_set "
    "badge_cleared pin_set pin_cleared role_set role_cleared removed "
    "key_changed everything_sealed_anew recovery_passphrase_made passphrase_chosen "
    "made exported restored begun cut key_made key_replaced consent_recorded templates_renewed "
    "number_set number_cleared qr_set qr_cleared card_set card_cleared verify_on verify_off extended_on extended_off "
    "issued revoked used signed_in sign_in_failed signed_out not_enrolled not_me face_stays face_gone "
    "other_light references_added references_erased network_switched network_back network_finished study_begun "
    "study_ended",
    AuditReason: "kiosk_restarted reset face_off face_on asked withdrawn expired records_dropped "
    "release_without_decision looks_like_another not_agreed not_recognised presentation_attack broken_off no_role "
    "of_another_network visits_not_kept renewal_failed",
    Command: "status monitor release extend hold_open secure lockdown lockdown_end pair forget_gallery simulate_open "
    "simulate_close simulate_rex simulate_tamper simulate_restore",
    Outcome: "granted refused",
    DoorResult: "released presented refused unavailable",
}


@pytest.mark.parametrize("words", GOLDEN, ids=lambda words: words.__name__)
def test_the_words_of_the_log_never_change(words: type[StrEnum]) -> None:
    """Add a new word at the end of its line. A word that is changed or gone makes the logs that hold it a riddle."""
    assert [word.value for word in words] == GOLDEN[words].split()


def test_each_hand_of_a_simulated_door_is_a_command() -> None:
    assert {f"simulate_{hand}" for hand in Hand} == {c.value for c in Command if c.name.startswith("SIMULATE_")}


def test_a_release_that_nothing_explains_has_one_name_everywhere() -> None:
    assert AuditReason.UNEXPLAINED.value == UNEXPLAINED
