"""What the window shows, and above all when it must not say that the door is open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult
from kiosk.domain.door.state import DoorState
from kiosk.domain.entry import Claim, Claimed, Means, PinTyped, Step, Ways
from kiosk.domain.face import Box, Face, Flaw, Hint, Quality
from kiosk.domain.updates import (
    Decided,
    DoorAnswered,
    DoorChanged,
    DoorLeftOpen,
    EntryChanged,
    Faulted,
    Observed,
    OtherLight,
    Recovered,
    Update,
    Waiting,
)
from kiosk.gui import entry, guidance, presenter, words
from kiosk.gui.catalogue import texts
from kiosk.gui.presenter import Presenter
from kiosk.gui.state import Mode, Screen

TEXTS = texts()
NAMES = {"s1": "Amira", "s2": "Bo"}
EVIDENCE = Evidence(1, 0.0, datetime(2026, 1, 1, tzinfo=UTC))
FACE = Face(Box(200, 100, 180, 220), ((250, 180), (330, 180), (290, 220), (260, 260), (320, 260)), 0.9)
GOOD = Quality(0.9)


def granted(decision_id: str = "g1", subject: str | None = "s1") -> Decided:
    return Decided(Decision(decision_id, Outcome.GRANTED, Reason.MATCHED, subject, EVIDENCE))


def refused(reason: Reason = Reason.NOT_ENROLLED, decision_id: str = "r1") -> Decided:
    return Decided(Decision(decision_id, Outcome.REFUSED, reason, "s1", EVIDENCE))


def answer(result: DoorResult, until: float | None = None, decision_id: str = "g1") -> DoorAnswered:
    return DoorAnswered(decision_id, DoorReply(decision_id, result, "", until))


def observed(flaw: Flaw | None = None, progress: float = 0.0, faces: int = 1) -> Observed:
    return Observed(1, (FACE,) * faces, Quality(0.3, flaw) if flaw else GOOD, progress)


def after(*events: tuple[float, Update], seen_at: float | None = None) -> Presenter:
    made = Presenter(NAMES.get, TEXTS)
    for at, event in events:
        made.handle(event, at)
    if seen_at is not None:
        made.frame_shown(seen_at)
    return made


def text(screen: Screen) -> str:
    return f"{screen.headline} {screen.detail}".lower()


def invites(screen: Screen) -> bool:
    return "welcome" in text(screen) or "door is open" in text(screen) or "come in" in text(screen)


def test_it_starts_with_one_moment() -> None:
    assert after().screen(0).mode is Mode.STARTING


def test_a_door_that_reports_alone_does_not_end_the_start() -> None:
    assert after((0, DoorChanged(DoorState.SECURED))).screen(0).mode is Mode.STARTING


def test_waiting_asks_to_look_at_the_camera() -> None:
    screen = after((0, Waiting(1))).screen(0)
    assert (screen.mode, screen.headline) == (Mode.IDLE, "Look at the camera")


@pytest.mark.parametrize("flaw", list(Flaw))
def test_a_flaw_becomes_guidance(flaw: Flaw) -> None:
    screen = after((0, observed(flaw))).screen(0)
    assert (screen.mode, screen.headline) == (Mode.GUIDING, words.FLAWS[flaw].headline(TEXTS))


@pytest.mark.parametrize("hint", list(Hint))
def test_a_hint_becomes_one_instruction_after_the_flaws(hint: Hint) -> None:
    screen = after((0, replace(observed(), hint=hint))).screen(0)
    assert (screen.mode, screen.headline) == (Mode.GUIDING, words.HINTS[hint].headline(TEXTS))
    assert after((0, replace(observed(Flaw.BLURRED), hint=hint))).screen(0).headline == words.FLAWS[
        Flaw.BLURRED
    ].headline(TEXTS)


@pytest.mark.parametrize("hint", list(Hint))
def test_a_refusal_with_a_hint_says_what_to_change(hint: Hint) -> None:
    decision = Decision("r1", Outcome.REFUSED, Reason.NOT_ENROLLED, None, replace(EVIDENCE, hint=hint))
    screen = after((0, Decided(decision))).screen(1)
    assert (screen.mode, screen.headline) == (Mode.REFUSED, words.HINTS[hint].headline(TEXTS))


def test_progress_fills_the_rim() -> None:
    screen = after((0, observed(progress=2 / 3))).screen(0)
    assert (screen.mode, screen.progress) == (Mode.CHECKING, 2 / 3)


@pytest.mark.parametrize(("told", "shown"), [(-1.0, 0.0), (7.0, 1.0), (float("nan"), 0.0)])
def test_progress_stays_between_nothing_and_all(told: float, shown: float) -> None:
    assert after((0, observed(progress=told))).screen(0).progress == shown


def test_several_faces_are_shown_and_asked_apart() -> None:
    screen = after((0, observed(faces=2))).screen(0)
    assert screen.headline == "One person at a time"
    assert len(screen.boxes) == 2


def test_one_face_has_no_box() -> None:
    assert after((0, observed())).screen(0).boxes == ()


def test_hints_that_alternate_do_not_flicker() -> None:
    frames = [(i / 15, observed(Flaw.TURNED if i % 2 else Flaw.BLURRED)) for i in range(30)]
    shown = set()
    made = Presenter(NAMES.get, TEXTS)
    for at, event in frames:
        made.handle(event, at)
        shown.add(made.screen(at).headline)
    assert shown == {words.FLAWS[Flaw.BLURRED].headline(TEXTS)}


def test_a_hint_gives_way_once_it_could_be_read() -> None:
    made = after((0, observed(Flaw.TOO_SMALL)), (0.1, observed(Flaw.TURNED)))
    assert made.screen(0.1).headline == "Come closer"
    made.handle(observed(Flaw.TURNED), guidance.HINT_SECONDS)
    assert made.screen(guidance.HINT_SECONDS).headline == "Look here"


def test_guidance_does_not_outlive_its_news() -> None:
    assert after((0, observed(Flaw.TURNED))).screen(presenter.NEWS_SECONDS + 0.1).mode is Mode.IDLE


def test_the_picture_is_shown_while_it_is_fresh() -> None:
    made = after((0, Waiting(1)), seen_at=0)
    assert made.screen(presenter.NEWS_SECONDS).preview
    assert not made.screen(presenter.NEWS_SECONDS + 0.1).preview


def test_a_grant_alone_opens_nothing() -> None:
    screen = after((0, granted())).screen(0.1)
    assert screen.mode is Mode.ASKING
    assert not invites(screen)


def test_welcome_while_the_door_is_released() -> None:
    made = after((0, granted()), (0.1, answer(DoorResult.RELEASED, until=5.1)))
    screen = made.screen(2.6)
    assert screen.mode is Mode.GRANTED
    assert "Amira" in screen.headline
    assert screen.detail == "The door is open."
    assert screen.countdown is not None
    assert screen.countdown.share == pytest.approx(0.5)
    assert screen.countdown.seconds == 3


def test_welcome_ends_with_the_release() -> None:
    made = after((0, granted()), (0.1, answer(DoorResult.RELEASED, until=5.1)))
    assert not invites(made.screen(5.1))


def test_welcome_ends_when_the_door_is_secured_early_and_does_not_come_back() -> None:
    made = after((0, granted()), (0.1, answer(DoorResult.RELEASED, until=5.1)), (1, DoorChanged(DoorState.SECURED)))
    assert not invites(made.screen(1))
    made.handle(DoorChanged(DoorState.RELEASED), 2)
    assert not invites(made.screen(2))


def test_an_answer_that_comes_after_the_release_shows_nothing() -> None:
    made = after((0, granted()), (9, answer(DoorResult.RELEASED, until=5.1)))
    assert not invites(made.screen(9))


def test_a_release_without_an_end_is_shown_briefly() -> None:
    made = after((0, granted()), (0, answer(DoorResult.RELEASED)))
    assert invites(made.screen(presenter.RELEASE_SECONDS - 0.1))
    assert not invites(made.screen(presenter.RELEASE_SECONDS))


def test_a_release_is_never_shown_longer_than_any_release_lasts() -> None:
    made = after((0, granted()), (0, answer(DoorResult.RELEASED, until=1e9)))
    assert not invites(made.screen(presenter.RELEASE_AT_MOST))


def test_a_panel_that_decides_is_never_a_welcome() -> None:
    made = after((0, granted()), (1, answer(DoorResult.PRESENTED)), (1.1, DoorChanged(DoorState.PANEL)), seen_at=1)
    screen = made.screen(1.2)
    assert (screen.mode, screen.headline) == (Mode.CHECKING, words.PRESENTED.headline(TEXTS))
    assert made.screen(1 + presenter.RELEASE_SECONDS).headline != words.PRESENTED.headline(TEXTS)


@pytest.mark.parametrize("result", [DoorResult.REFUSED, DoorResult.UNAVAILABLE])
def test_a_grant_that_the_door_did_not_follow_invites_nobody(result: DoorResult) -> None:
    screen = after((0, granted()), (0.1, answer(result))).screen(0.1)
    assert screen.mode is Mode.REFUSED
    assert not invites(screen)
    assert "Amira" not in screen.headline


def test_a_door_that_never_answers_is_out_of_order() -> None:
    made = after((0, granted()))
    assert made.screen(presenter.ANSWER_SECONDS).headline == "Out of order"
    assert made.screen(presenter.ANSWER_SECONDS + presenter.REFUSED_SECONDS).mode is Mode.IDLE


def test_the_answer_to_another_grant_is_not_this_ones() -> None:
    made = after((0, granted("g2", "s2")), (0.1, answer(DoorResult.RELEASED, until=5.0, decision_id="g1")))
    assert not invites(made.screen(0.2))


def test_a_refusal_takes_the_welcome_of_the_person_before_away() -> None:
    made = after((0, granted()), (0.1, answer(DoorResult.RELEASED, until=5.1)), (1, refused()))
    for now in (1, 2, 4.9, 6):
        assert not invites(made.screen(now))


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.MATCHED])
def test_every_refusal_is_told_in_its_words(reason: Reason) -> None:
    screen = after((0, refused(reason))).screen(0)
    assert (screen.mode, screen.headline) == (Mode.REFUSED, words.refused(reason).headline(TEXTS))
    assert not any(name in screen.headline for name in NAMES.values())


def test_a_refusal_gives_way_to_the_next_attempt_once_it_could_be_read() -> None:
    made = after((0, refused()), (1, observed()))
    assert made.screen(1).mode is Mode.REFUSED
    made.handle(observed(), presenter.REFUSED_AT_LEAST)
    assert made.screen(presenter.REFUSED_AT_LEAST).mode is Mode.CHECKING


def test_a_refusal_stays_while_nobody_comes() -> None:
    made = after((0, refused()), (0.1, Waiting(2)))
    assert made.screen(presenter.REFUSED_SECONDS - 0.1).mode is Mode.REFUSED
    assert made.screen(presenter.REFUSED_SECONDS).mode is Mode.IDLE


def test_a_fault_stays_until_it_has_recovered() -> None:
    made = after((0, Waiting(1)), (1, Faulted(Reason.CAMERA_UNAVAILABLE, "secret path")), seen_at=1)
    screen = made.screen(1)
    assert (screen.mode, screen.code, screen.preview) == (Mode.FAULT, "camera_unavailable", False)
    assert "secret" not in text(screen)
    assert made.screen(1000).mode is Mode.FAULT
    made.handle(Recovered(Reason.CAMERA_UNAVAILABLE), 1001)
    assert made.screen(1001).mode is Mode.IDLE


def test_one_recovery_leaves_the_other_fault() -> None:
    made = after(
        (0, Faulted(Reason.GALLERY_FAULT, "")), (1, Faulted(Reason.PAD_FAULT, "")), (2, Recovered(Reason.PAD_FAULT))
    )
    assert made.screen(2).code == "gallery_fault"


def test_a_gallery_of_another_network_says_what_is_to_be_done() -> None:
    made = after((0, Faulted(Reason.REFERENCES_OF_ANOTHER_MODEL, "12 references were made with another network")))
    screen = made.screen(1)
    assert (screen.mode, screen.code) == (Mode.FAULT, "references_of_another_model")
    assert "enrolled again" in screen.detail
    assert "see reception" in screen.detail


def test_while_face_alone_is_off_the_other_way_in_is_named_and_nobody_is_looked_at() -> None:
    made = after((0, Waiting(1)), (1, refused()), (1.3, Faulted(Reason.FACE_OFF, "")))
    screen = made.screen(1.5)
    assert (screen.mode, screen.code, screen.preview) == (Mode.FAULT, "face_off", False)
    assert "see reception" in screen.detail
    made.handle(Recovered(Reason.FACE_OFF), 3600)
    assert made.screen(3600).mode is Mode.IDLE


@pytest.mark.parametrize("reason", [Reason.CLOCK_BEHIND, Reason.CLOCK_UNSYNCHRONISED])
def test_a_clock_that_is_wrong_is_told_to_staff_and_stops_nobody_else(reason: Reason) -> None:
    made = after((0, Waiting(1)), (1, Faulted(reason, "")))
    screen = made.screen(1)
    assert (screen.mode, screen.headline, screen.code) == (Mode.IDLE, words.IDLE.headline(TEXTS), reason.value)
    made.handle(Faulted(Reason.PAD_FAULT, ""), 2)
    assert (made.screen(2).mode, made.screen(2).code) == (Mode.FAULT, "pad_fault")
    made.handle(Recovered(Reason.PAD_FAULT), 3)
    made.handle(Recovered(reason), 3)
    assert (made.screen(3).mode, made.screen(3).code) == (Mode.IDLE, "")
    assert words.refused(reason) == words.NOT_RECOGNISED


@pytest.mark.parametrize("state", [DoorState.UNKNOWN, DoorState.FAULT])
def test_a_door_that_cannot_work_is_out_of_order(state: DoorState) -> None:
    made = after((0, Waiting(1)), (1, DoorChanged(state)))
    assert made.screen(1).headline == "Out of order"
    made.handle(DoorChanged(DoorState.SECURED), 2)
    assert made.screen(2).mode is Mode.IDLE


WAYS = Ways(frozenset({Means.NUMBER, Means.QR}), pin=True)


def door_with_ways(*events: tuple[float, Update], ways: Ways = WAYS) -> Presenter:
    made = Presenter(NAMES.get, TEXTS, ways)
    for at, event in events:
        made.handle(event, at)
    return made


ABOUT_SOMEBODY = [
    reason
    for reason in Reason
    if reason is not Reason.MATCHED and reason not in {*words.AGAIN, *words.BROKEN, Reason.SEVERAL_FACES}
]


def test_whoever_is_refused_reads_one_and_the_same_screen() -> None:
    """A stranger, a disabled or expired subject, an attack, a look-alike: nobody learns which."""
    screens = {door_with_ways((0, refused(reason))).screen(1) for reason in ABOUT_SOMEBODY}
    assert len(screens) == 1
    (screen,) = screens
    assert {Reason.NOT_ENROLLED, Reason.SUBJECT_DISABLED, Reason.PRESENTATION_ATTACK} <= set(ABOUT_SOMEBODY)
    assert (screen.headline, screen.ways) == ("Not recognised", (Means.NUMBER, Means.QR))
    assert screen.detail == "Or: Number\u00a0· Code"


def test_without_another_way_a_refusal_names_who_helps() -> None:
    assert "reception" in after((0, refused())).screen(1).detail


def test_after_three_seconds_without_evidence_the_other_ways_are_named() -> None:
    made = door_with_ways((0, observed(Flaw.TOO_SMALL)), (3.1, observed(Flaw.TOO_SMALL)))
    assert (made.screen(2.9).headline, made.screen(2.9).detail) == ("Come closer", "")
    assert (made.screen(3.1).headline, made.screen(3.1).detail) == ("Come closer", "Or: Number\u00a0· Code")


def test_hold_still_does_not_stand_there_while_nothing_happens() -> None:
    made = after((0, observed()), (1.5, observed()))
    assert made.screen(1.5).headline == "Hold still"
    made.handle(observed(), 3.2)
    assert (made.screen(3.2).mode, made.screen(3.2).headline) == (Mode.GUIDING, "Try another way")
    made.handle(observed(progress=1 / 3), 3.4)
    assert made.screen(3.4).headline == "Hold still"


def test_where_a_face_alone_is_not_looked_for_it_is_said_what_to_do() -> None:
    screen = door_with_ways((0, replace(observed(Flaw.TURNED), claim_first=True))).screen(0)
    assert (screen.mode, screen.headline) == (Mode.GUIDING, "First say who you are")
    assert screen.detail == "Or: Number\u00a0· Code"


def test_whoever_must_wait_reads_how_long() -> None:
    screen = door_with_ways((0, replace(observed(), waits=11.2))).screen(0)
    assert (screen.headline, screen.detail) == ("Please wait", "Wait 12 s.\nOr: Number\u00a0· Code")
    assert "Wait" not in door_with_ways((0, replace(observed(), waits=1.0))).screen(0).detail


def test_a_name_is_gone_five_seconds_after_the_person() -> None:
    made = after((0, granted()), (0.1, answer(DoorResult.RELEASED, until=60.0)), (2, Waiting(2)))
    assert "Amira" in made.screen(6.9).headline
    assert made.screen(7).mode is Mode.IDLE
    made.handle(Waiting(3), 8)
    assert made.screen(9).mode is Mode.IDLE


def test_a_name_stays_while_the_person_does() -> None:
    made = after((0, granted()), (0.1, answer(DoorResult.RELEASED, until=60.0)), (2, Waiting(2)), (4, observed()))
    assert "Amira" in made.screen(9).headline


def test_a_door_left_open_is_told_while_nobody_stands_there() -> None:
    made = after((0, Waiting(1)), (1, DoorLeftOpen(True)))
    assert made.screen(1).headline == "Close the door"
    made.handle(observed(Flaw.TOO_SMALL), 2)
    assert made.screen(2).headline == "Come closer"
    made.handle(DoorLeftOpen(False), 3)
    made.handle(Waiting(2), 3)
    assert made.screen(5).headline == "Look at the camera"


def test_a_number_then_a_pin_are_typed_and_asked() -> None:
    made = door_with_ways((0, Waiting(1)))
    assert made.screen(0).ways == (Means.NUMBER, Means.QR)
    made.choose(Means.NUMBER, 1)
    assert (made.screen(1).mode, made.screen(1).cancel) == (Mode.NUMBER, True)
    assert made.typed("4711", 2) == Claimed(Claim(Means.NUMBER, "4711"))
    assert made.screen(2).mode is Mode.ASKING
    made.handle(EntryChanged(Step.PIN), 2.1)
    assert made.screen(2.1).mode is Mode.PIN
    assert made.typed("204060", 4) == PinTyped("204060")
    made.handle(EntryChanged(Step.WAIT, 30.0), 4.5)
    assert (made.screen(5).mode, made.screen(5).wait, made.screen(5).headline) == (Mode.PIN, 30, "Wait 30 s")
    assert made.typed("204060", 6) is None
    made.due(4.5 + entry.WAIT_SECONDS)
    assert made.screen(4.5 + entry.WAIT_SECONDS).mode is Mode.IDLE, "the next person's; the pause goes on"
    assert made.typed("204060", 35) is None


def test_one_to_one_asks_to_look_here_and_guides_like_everybody() -> None:
    made = door_with_ways((0, EntryChanged(Step.FACE)))
    assert (made.screen(0).headline, made.screen(0).cancel) == ("Look here", True)
    made.handle(observed(Flaw.TOO_SMALL), 1)
    assert (made.screen(1).headline, made.screen(1).cancel) == ("Come closer", True)


def test_a_refusal_of_a_face_does_not_take_the_keys_away() -> None:
    made = door_with_ways((0, EntryChanged(Step.PIN)), (1, refused()))
    assert made.screen(1).mode is Mode.PIN


def test_a_grant_while_a_pin_is_typed_ends_the_typing() -> None:
    made = door_with_ways((0, EntryChanged(Step.PIN)), (1, granted()), (1.1, answer(DoorResult.RELEASED, until=6.0)))
    assert made.screen(1.2).mode is Mode.GRANTED
    assert made.screen(6).mode is Mode.IDLE


@pytest.mark.parametrize("reason", sorted(words.WITHOUT_A_FACE))
def test_without_a_face_number_and_pin_still_work(reason: Reason) -> None:
    made = door_with_ways((0, Waiting(1)), (1, Faulted(reason, "")))
    assert Means.NUMBER in made.screen(1).ways
    assert (Means.QR in made.screen(1).ways) is (reason is not Reason.CAMERA_UNAVAILABLE)
    made.choose(Means.NUMBER, 2)
    assert made.screen(2).mode is Mode.NUMBER
    assert door_with_ways((1, Faulted(reason, "")), ways=replace(WAYS, pin=False)).screen(1).ways == ()


@pytest.mark.parametrize("reason", [Reason.GALLERY_FAULT, Reason.LOCKED, Reason.AUDIT_UNAVAILABLE])
def test_what_does_not_work_is_not_offered(reason: Reason) -> None:
    made = door_with_ways((0, EntryChanged(Step.PIN)), (1, Faulted(reason, "")), (1, Faulted(Reason.FACE_OFF, "")))
    assert (made.screen(1).mode, made.screen(1).ways) == (Mode.FAULT, ())
    made.choose(Means.NUMBER, 2)
    assert made.screen(2).mode is Mode.FAULT


def test_a_way_that_this_door_does_not_offer_cannot_be_chosen() -> None:
    made = after((0, Waiting(1)))
    made.choose(Means.NUMBER, 1)
    assert made.screen(1).mode is Mode.IDLE


def test_in_the_dark_the_screen_turns_white_for_a_face_and_says_so() -> None:
    made = after((0, Waiting(1)))
    made.frame_shown(0.0, 12.0)
    assert (made.screen(0).headline, made.screen(0).light) == ("Touch for light", False)
    made.handle(observed(Flaw.BLURRED), 1)
    made.frame_shown(1.0, 90.0)
    assert (made.screen(1).headline, made.screen(1).light) == ("More light", True)


IDS = st.sampled_from(["g1", "g2"])
TIMES = st.none() | st.floats(-10, 120)
EVENTS: st.SearchStrategy[Update] = st.one_of(
    st.just(Waiting(1)),
    st.builds(observed, st.none() | st.sampled_from(Flaw), st.floats(0, 1), st.integers(0, 2)),
    st.builds(granted, IDS, st.sampled_from(["s1", "s2", "s3", None])),
    st.builds(refused, st.sampled_from([r for r in Reason if r is not Reason.MATCHED]), IDS),
    st.builds(answer, st.sampled_from(DoorResult), TIMES, IDS),
    st.builds(DoorChanged, st.sampled_from(DoorState)),
    st.builds(Faulted, st.sampled_from(Reason), st.just("x")),
    st.builds(Recovered, st.sampled_from(Reason)),
    st.builds(EntryChanged, st.sampled_from(Step), st.floats(0, 60)),
    st.builds(DoorLeftOpen, st.booleans()),
)


@given(st.lists(st.tuples(st.floats(0, 4), EVENTS), max_size=30), st.floats(0, 8))
def test_no_story_shows_an_open_door_that_is_not(story: list[tuple[float, Update]], wait: float) -> None:
    watched, unwatched = Presenter(NAMES.get, TEXTS), Presenter(NAMES.get, TEXTS)
    door: DoorState | None = None
    ends: dict[str, float] = {}
    last: Decided | None = None
    now = 0.0
    for step, event in [*story, (wait, None)]:
        now += step
        if event is not None:
            watched.handle(event, now)
            unwatched.handle(event, now)
        match event:
            case DoorChanged(state):
                door = state
            case DoorAnswered(_, reply) if reply.result is DoorResult.RELEASED:
                door = DoorState.RELEASED
                limit = now + presenter.RELEASE_AT_MOST
                ends[reply.grant_id] = max(
                    ends.get(reply.grant_id, 0.0),
                    limit if reply.released_until is None else min(limit, reply.released_until),
                )
            case Decided():
                last = event
        screen = watched.screen(now)
        if invites(screen) or screen.mode is Mode.GRANTED or screen.countdown is not None:
            assert door is DoorState.RELEASED
            assert last is not None
            assert last.decision.granted
            assert now < ends[last.decision.id]
        if screen.mode is not Mode.GRANTED:
            assert not any(name in screen.headline for name in NAMES.values())
        assert 0 <= screen.progress <= 1
    assert watched.screen(now) == unwatched.screen(now)


def test_who_was_let_in_in_other_light_is_asked_for_more_pictures_where_that_is_configured() -> None:
    news: list[Update] = [granted(), OtherLight("g1"), answer(DoorResult.RELEASED, 5.0)]
    for asked in (False, True):
        made = Presenter(NAMES.get, TEXTS, second_light=asked)
        for event in news:
            made.handle(event, 1.0)
        shown = made.screen(1.1)
        assert shown.mode is Mode.GRANTED
        assert (shown.detail == TEXTS("welcome.second_light")) is asked
        made.handle(granted("g2", "s2"), 9.0)
        made.handle(answer(DoorResult.RELEASED, 12.0, "g2"), 9.1)
        assert made.screen(9.2).detail == TEXTS("welcome.detail"), "the next one is not asked"
