"""Other ways in: whatever breaks or is typed, in whatever order, there is one grant at most, and the screen is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Proof, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.entry import Claim, Claimed, EntryRequest, GaveUp, Means, PinTyped, Step
from kiosk.domain.errors import GalleryError
from kiosk.domain.guesses import CROWD, EACH, SOON
from kiosk.domain.passes import MARK, PassWord
from kiosk.domain.people import Subject
from kiosk.domain.updates import Decided, DoorAnswered, Duress, EntryChanged, Faulted, Recovered, Update
from kiosk.domain.verification import ClaimOver, Expected, LetIn, Told
from kiosk.station.access import Access
from kiosk.station.admission import Admission
from kiosk.station.alarm import SilentAlarm
from kiosk.station.reception import BLIND, MOST_WAITING, SLACK_SECONDS, Reception
from kiosk.storage.passes import PassVerdict
from kiosk.storage.pins import Checked, Verdict
from kiosk.ways import EntryConfig

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA = Subject("ada", "Ada", NOON)
PIN, DURESS_PIN, WRONG = "739154", "280461", "111222"
ALL = EntryConfig(number=True, qr=True, card_reader="08ff:0009")


@dataclass
class World:
    """Everything around the reception. Writes down in which order it is used, and breaks where it is told to."""

    entry: EntryConfig = ALL
    subjects: dict[str, Subject] = field(default_factory=lambda: {"ada": ADA})
    badges: int | None = None
    broken: str = ""
    door: DoorResult = DoorResult.RELEASED
    ready_door: bool = True
    wait: float = 0.0
    fault: bool = False
    pass_word: PassWord = PassWord.GOOD
    clock_trouble: Reason | None = None

    def __post_init__(self) -> None:
        self.trace: list[tuple[Any, ...]] = []
        self.records: list[AuditRecord] = []
        self.grants: list[Grant] = []
        self.updates: list[Update | Duress] = []
        self.told: list[Told] = []
        self.now = 100.0
        self.slow = 0.0
        self.ids = 0
        self.access = Access(self, self, 1.5, lambda: self.now)
        wall = lambda: NOON + timedelta(seconds=self.now)  # noqa: E731
        alarm = SilentAlarm(self.access, self.publish, wall)
        admission = Admission(
            self, self.access, self.ready, self.publish, lambda _: self.clock_trouble, self.new_id, self.badges
        )
        self.reception = Reception(
            self.entry,
            self,
            admission,
            self.tell,
            self.access.end_claim,
            self.publish,
            lambda: self.now,
            wall,
            self.new_id,
            alarm.forced,
        )

    def used(self, name: str, *what: object) -> None:
        self.trace.append((name, *what))
        if name == self.broken:
            raise GalleryError("it is broken") if name in {"find", "check", "use"} else RuntimeError("it is broken")

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:032x}"

    # People
    def find(self, claim: Claim) -> str | None:
        self.used("find")
        return "ada" if claim.text in {"4711", "KQ1CODE", "BADGE7"} else None

    def check(self, claim: str, subject_id: str | None, pin: str) -> Checked:
        self.used("check")
        self.now += self.slow
        if self.wait:
            return Checked(Verdict.WAIT, self.wait)
        right = subject_id == "ada" and pin in {PIN, DURESS_PIN}
        verdict = Verdict.RIGHT if right and not self.fault else Verdict.WRONG
        fault = GalleryError("it is broken") if self.fault else None
        return Checked(verdict, 0.0, right and pin == DURESS_PIN, fault)

    def subject(self, subject_id: str) -> Subject | None:
        self.used("subject")
        return self.subjects.get(subject_id)

    def use(self, text: str, now: datetime | None) -> PassVerdict:
        self.used("use", now is None)
        return PassVerdict(self.pass_word, "p1", "ada")

    # AuditTrail, Door
    def append(self, records: Sequence[AuditRecord]) -> None:
        if self.broken == "append":
            raise GalleryError("the disk is full")
        for record in records:
            if record.record_id not in {r.record_id for r in self.records}:
                self.records.append(record)
                self.trace.append(("record", record.kind, record.outcome, record.reason))

    def ready(self) -> bool:
        self.used("ready")
        return self.ready_door

    def release(self, grant: Grant) -> DoorReply:
        self.grants.append(grant)
        self.trace.append(("release", grant.span))
        return DoorReply(grant.id, self.door, "" if self.door is DoorResult.RELEASED else "because")

    # What the reception tells
    def tell(self, told: Told) -> None:
        self.told.append(told)
        self.trace.append(("tell", type(told).__name__))

    def publish(self, update: Update | Duress) -> None:
        self.updates.append(update)
        what: object = update
        if isinstance(update, Decided):
            what = update.decision.outcome
        elif isinstance(update, DoorAnswered):
            what = update.reply.result
        self.trace.append(("publish", type(update).__name__, what))

    # What happens
    def turn(self) -> None:
        self.reception.nudge()
        self.reception.turn()

    def ask(self, *requests: EntryRequest) -> None:
        for request in requests:
            self.reception.ask(request)
        for _ in requests:
            self.turn()

    def claim(self, text: str = "4711", means: Means = Means.NUMBER) -> None:
        self.ask(Claimed(Claim(means, text)))

    def looked(self, granted: bool, claim_id: str | None = None) -> Decision:
        """The pipeline ends the claim's attempt, and its thread settles and tells it."""
        claim_id = claim_id or self.expected().claim_id
        reason = Reason.MATCHED if granted else Reason.NOT_VERIFIED
        outcome = Outcome.GRANTED if granted else Outcome.REFUSED
        evidence = Evidence(7, self.now, NOON, 3, Comparison("ada", 0.9 if granted else 0.1, 0.3, "m"))
        made = Decision(self.new_id(), outcome, reason, "ada", evidence)
        proposed = replace(made, proof=Proof.VERIFICATION, means=Means.NUMBER, claim_id=claim_id)
        for update in self.access.settle(proposed):
            self.publish(update)
            self.reception.heard(update)
        self.turn()
        return proposed

    @property
    def expects(self) -> bool:
        return any(isinstance(told, Expected) for told in self.told)

    def expected(self) -> Expected:
        return [told for told in self.told if isinstance(told, Expected)][-1]

    @property
    def steps(self) -> list[Step]:
        return [u.step for u in self.updates if isinstance(u, EntryChanged)]

    @property
    def decisions(self) -> list[Decision]:
        return [u.decision for u in self.updates if isinstance(u, Decided)]

    @property
    def released(self) -> int:
        return sum(r.kind is AuditKind.OUTCOME and r.outcome == DoorResult.RELEASED for r in self.records)


# Each collaborator breaks at each step: nobody is let in, it is recorded, and the screen is told.


@pytest.mark.parametrize(
    ("when", "broken"),
    [("claim", "find"), *((when, b) for when in ("claim", "pin") for b in ("check", "subject", "ready", "append"))],
)
def test_whatever_breaks_lets_nobody_in_is_recorded_and_told(broken: str, when: str) -> None:
    world = World(broken=broken if when == "claim" else "")
    world.claim()
    if world.reception.busy:
        world.looked(granted=False)
    world.broken = broken
    world.ask(PinTyped(PIN))
    assert world.grants == []
    assert not any(d.granted for d in world.decisions)
    assert world.steps[-1] is Step.OVER
    assert not world.reception.busy
    if broken != "append":
        assert any(r.kind is AuditKind.DECISION and r.outcome == Outcome.REFUSED for r in world.records)
    assert isinstance(world.told[-1], ClaimOver) or not world.told
    world.broken = ""
    world.claim()
    world.looked(granted=False)
    world.ask(PinTyped(PIN))
    assert world.decisions[-1].granted, "what works again lets in again"
    assert {r.reason for r in world.records if r.outcome == Outcome.REFUSED}, "what waited is recorded then"


@pytest.mark.parametrize("broken", ["find", "subject", "ready", "append", "use"])
@pytest.mark.parametrize(("text", "means"), [("KQ1CODE", Means.QR), ("BADGE7", Means.CARD), (MARK + "X", Means.QR)])
def test_a_code_alone_lets_nobody_in_while_anything_is_broken(broken: str, text: str, means: Means) -> None:
    entry = ALL.model_copy(update={"qr_alone": True, "card_alone": True, "passes": True})
    world = World(entry, broken=broken)
    world.claim(text, means)
    visitor = text.startswith(MARK)
    if broken in ({"ready", "use", "append"} if visitor else {"find", "subject", "ready", "append"}):
        assert world.grants == []
        assert world.steps[-1] is Step.OVER
        assert not any(d.granted for d in world.decisions)
    else:
        assert world.decisions[-1].granted, "what this way does not need may be broken"


def test_a_record_that_cannot_be_made_of_a_fault_ends_the_claim_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(broken="find")

    def settle(_: Decision) -> list[Update]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(world.access, "settle", settle)
    world.claim()
    assert world.steps == [Step.CHECKING, Step.OVER]
    assert not world.reception.busy


@pytest.mark.parametrize("result", [DoorResult.REFUSED, DoorResult.UNAVAILABLE])
def test_a_door_that_does_not_act_leaves_nobody_let_in(result: DoorResult) -> None:
    world = World(door=result)
    world.claim()
    world.ask(PinTyped(PIN))
    assert world.released == 0
    assert not any(isinstance(told, LetIn) for told in world.told)
    assert world.steps[-1] is Step.OVER


def test_a_pin_whose_check_took_too_long_opens_nothing() -> None:
    world = World()
    world.claim()
    world.slow = 1.6
    world.ask(PinTyped(PIN))
    assert world.decisions[-1].reason is Reason.STALE_FRAME
    assert world.grants == []


def test_a_pin_that_waited_in_the_queue_is_as_old_as_its_last_digit() -> None:
    world = World()
    world.claim()
    world.reception.ask(PinTyped(PIN))
    world.now += 1.6
    world.turn()
    assert world.decisions[-1].reason is Reason.STALE_FRAME


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"subjects": {}}, Reason.NOT_ENROLLED),
        ({"subjects": {"ada": replace(ADA, disabled=True)}}, Reason.SUBJECT_DISABLED),
        ({"subjects": {"ada": replace(ADA, valid_until=NOON)}}, Reason.VALIDITY_ENDED),
        (
            {"subjects": {"ada": replace(ADA, valid_from=NOON)}, "clock_trouble": Reason.CLOCK_BEHIND},
            Reason.CLOCK_BEHIND,
        ),
        ({"ready_door": False}, Reason.DOOR_UNAVAILABLE),
        ({"badges": 100}, Reason.NO_BADGE),
    ],
)
def test_a_right_pin_is_not_enough_where_the_person_may_not_pass(change: dict[str, Any], reason: Reason) -> None:
    world = World(**change)
    world.claim()
    world.ask(PinTyped(PIN))
    decision = world.decisions[-1]
    assert (decision.granted, decision.reason, decision.subject_id) == (False, reason, "ada")
    assert world.grants == []


# What it does.


def test_a_number_and_its_pin_let_in_whatever_the_face_gave() -> None:
    world = World()
    world.claim()
    assert world.steps == [Step.CHECKING, Step.FACE]
    world.looked(granted=False)
    world.ask(PinTyped(PIN))
    assert world.steps == [Step.CHECKING, Step.FACE, Step.PIN, Step.CHECKING, Step.OVER]
    decision = world.decisions[-1]
    assert (decision.granted, decision.proof, decision.means, decision.subject_id) == (
        True,
        Proof.PIN,
        Means.NUMBER,
        "ada",
    )
    record = [r for r in world.records if r.kind is AuditKind.DECISION][-1]
    assert (record.detail["comparison"], record.detail["means"], record.detail["frame"]) == ("pin", "number", -1)
    assert LetIn("ada", world.now) in world.told
    assert "739154" not in repr(world.records) + repr(world.trace)
    assert "4711" not in repr(world.records) + repr(world.trace)


def test_a_grant_is_recorded_before_it_is_released() -> None:
    world = World()
    world.claim()
    world.ask(PinTyped(PIN))
    order = [what[0] if what[0] == "release" else what[1] for what in world.trace if what[0] in {"record", "release"}]
    assert order == [AuditKind.DECISION, "release", AuditKind.OUTCOME]
    (grant,) = world.grants
    assert (grant.captured_at, grant.deadline) == (100.0, 101.5)


def test_a_claim_and_its_face_let_in_without_a_pin() -> None:
    world = World()
    world.claim()
    assert world.expected().subject_id == "ada"
    world.looked(granted=True)
    assert world.steps == [Step.CHECKING, Step.FACE, Step.OVER]
    assert world.released == 1
    world.ask(PinTyped(PIN))
    assert world.released == 1, "it is over"


def test_without_an_answer_of_the_camera_the_pin_is_asked_for_after_some_seconds() -> None:
    world = World()
    world.claim()
    world.now += world.entry.look_seconds + SLACK_SECONDS
    world.turn()
    assert world.steps[-1] is Step.PIN
    world.now += world.entry.pin_seconds
    world.turn()
    assert world.steps[-1] is Step.OVER
    assert world.expected().until > world.now, "no face alone counts before the reception has said so"
    assert isinstance(world.told[-1], ClaimOver)


@pytest.mark.parametrize("reason", sorted(BLIND))
def test_while_no_face_can_be_compared_the_pin_is_asked_for_at_once(reason: Reason) -> None:
    world = World()
    world.reception.heard(Faulted(reason, ""))
    world.claim()
    assert world.steps == [Step.CHECKING, Step.PIN]
    world.ask(PinTyped(PIN))
    assert world.released == 1
    world.reception.heard(Recovered(reason))
    world.claim()
    assert world.steps[-1] is Step.FACE


def test_with_no_seconds_to_look_the_pin_is_asked_for_at_once() -> None:
    world = World(ALL.model_copy(update={"look_seconds": 0.0}))
    world.claim()
    assert world.steps == [Step.CHECKING, Step.PIN]


def test_where_a_pin_does_not_open_none_is_asked_for() -> None:
    world = World(EntryConfig(number=True, pin=False))
    world.claim()
    world.looked(granted=False)
    assert world.steps == [Step.CHECKING, Step.FACE, Step.OVER]
    world.claim()
    world.ask(PinTyped(PIN))
    assert world.released == 0


def test_a_wrong_pin_is_refused_and_the_claim_is_over() -> None:
    world = World()
    world.claim()
    world.ask(PinTyped(WRONG), PinTyped(PIN))
    assert [d.reason for d in world.decisions] == [Reason.WRONG_PIN]
    assert world.steps[-1] is Step.OVER
    assert world.grants == []


def test_who_must_wait_is_told_how_long_and_is_refused() -> None:
    world = World(wait=30.0)
    world.claim()
    world.ask(PinTyped(PIN))
    assert [d.reason for d in world.decisions] == [Reason.PIN_WAITS]
    assert world.updates[-1] == EntryChanged(Step.WAIT, 30.0)


@pytest.mark.parametrize("claimed", [True, False])
def test_who_gives_up_is_let_in_by_nothing_that_comes_later(claimed: bool) -> None:
    world = World()
    world.claim()
    expected = world.expected()
    if not claimed:
        world.looked(granted=False)
    world.ask(GaveUp(), PinTyped(PIN))
    world.looked(granted=True, claim_id=expected.claim_id)
    assert world.grants == []
    assert world.records[-1].reason == Reason.CLAIM_OVER
    assert world.steps[-1] is Step.OVER


def test_a_double_tap_claims_once() -> None:
    world = World()
    world.claim()
    world.claim()
    assert len([told for told in world.told if isinstance(told, Expected)]) == 1
    world.ask(PinTyped(PIN), PinTyped(PIN))
    assert world.released == 1


def test_another_claim_takes_the_place_of_the_one_before() -> None:
    world = World()
    world.claim("1234")
    first = world.expected()
    world.claim()
    assert world.told[1] == ClaimOver(first.claim_id)
    world.looked(granted=True, claim_id=first.claim_id)
    assert world.grants == [], "the face of the earlier claim no longer counts"
    world.looked(granted=True)
    assert world.released == 1


def test_a_pin_that_is_typed_while_the_face_is_granted_lets_in_once() -> None:
    for order in ("face first", "pin first"):
        world = World()
        world.claim()
        claim_id = world.expected().claim_id
        world.reception.ask(PinTyped(PIN))
        if order == "face first":
            world.looked(granted=True)
            world.turn()
        else:
            world.turn()
            world.looked(granted=True, claim_id=claim_id)
        assert world.released == 1
        assert len([d for d in world.decisions if d.granted]) == 1
        assert world.steps[-1] is Step.OVER


def test_what_is_not_offered_is_not_looked_at() -> None:
    world = World(EntryConfig(number=True))
    world.claim("KQ1CODE", Means.QR)
    world.claim("BADGE7", Means.CARD)
    assert world.trace == []


@pytest.mark.parametrize(("text", "means"), [("KQ1CODE", Means.QR), ("BADGE7", Means.CARD)])
def test_a_code_or_a_badge_alone_opens_nothing_unless_it_is_allowed(text: str, means: Means) -> None:
    world = World()
    world.claim(text, means)
    assert world.steps[-1] is Step.FACE
    world.ask(PinTyped(PIN))
    assert world.decisions[-1].granted
    allowed = World(ALL.model_copy(update={"qr_alone": True, "card_alone": True}))
    allowed.claim(text, means)
    assert (allowed.decisions[-1].granted, allowed.decisions[-1].proof) == (True, Proof.CODE)
    allowed.subjects = {"ada": replace(ADA, verify=True)}
    allowed.claim(text, means)
    assert allowed.steps[-1] is Step.FACE, "not for who must be verified"
    allowed.claim("KQ1NOBODY", Means.QR)
    assert allowed.steps[-1] is Step.FACE


def test_more_time_is_for_who_needs_it() -> None:
    world = World(subjects={"ada": replace(ADA, extended=True)})
    world.claim()
    world.ask(PinTyped(PIN))
    assert [grant.span for grant in world.grants] == [Span.EXTENDED]


def test_a_badge_number_goes_to_a_panel() -> None:
    world = World(badges=1000, subjects={"ada": replace(ADA, badge=77)})
    world.claim()
    world.ask(PinTyped(PIN))
    assert [grant.badge for grant in world.grants] == [77]
    assert "77" not in repr([r.detail for r in world.records])


# Visitors.


@pytest.mark.parametrize("word", PassWord)
def test_a_pass_opens_if_it_is_good(word: PassWord) -> None:
    world = World(ALL.model_copy(update={"passes": True}), pass_word=word)
    world.claim(MARK + "X", Means.QR)
    decision = world.decisions[-1]
    assert decision.granted == (word is PassWord.GOOD)
    assert (decision.proof, decision.subject_id) == (Proof.VISITOR, None)
    assert world.steps == [Step.CHECKING, Step.OVER]
    if not decision.granted:
        assert (decision.reason, decision.detail) == (Reason.VISITOR_REFUSED, f"{word.value} pass p1")


def test_no_use_of_a_pass_is_counted_where_it_could_open_nothing() -> None:
    for change in ({"ready_door": False}, {"badges": 100}, {"entry": ALL}):
        world = World(**{"entry": ALL.model_copy(update={"passes": True}), **change})
        world.claim(MARK + "X", Means.QR)
        assert not world.decisions[-1].granted
        assert "use" not in [what[0] for what in world.trace]


def test_a_pass_is_told_where_the_clock_is_not_trusted() -> None:
    world = World(ALL.model_copy(update={"passes": True}), clock_trouble=Reason.CLOCK_BEHIND)
    world.claim(MARK + "X", Means.QR)
    assert ("use", True) in world.trace


# What a stranger must not learn.


def story(text: str, *then: EntryRequest, granted: bool | None = None) -> World:
    world = World()
    world.claim(text)
    if granted is not None:
        world.looked(granted)
    world.ask(*then)
    world.now += 100
    world.turn()
    world.turn()
    return world


@pytest.mark.parametrize("looked", [None, False])
@pytest.mark.parametrize(
    "then", [(PinTyped(WRONG),), (GaveUp(),), (), (PinTyped(WRONG), PinTyped(WRONG)), (PinTyped(""),)]
)
def test_an_unknown_number_takes_the_very_same_way_as_a_known_one(
    then: tuple[EntryRequest, ...], looked: bool | None
) -> None:
    known, unknown = story("4711", *then, granted=looked), story("9999", *then, granted=looked)
    assert known.trace == unknown.trace
    assert [d.reason for d in known.decisions] == [d.reason for d in unknown.decisions]


@pytest.mark.parametrize("looked", [None, False])
@pytest.mark.parametrize("door", DoorResult)
def test_a_duress_pin_is_the_right_pin_to_everybody_at_the_door(looked: bool | None, door: DoorResult) -> None:
    """All calls to the gallery, the door and the pipeline, all that is published and recorded, in their order; only
    after all of it one record and one event more, which go past window, console, sound and lists."""
    traces = []
    for pin in (PIN, DURESS_PIN):
        world = World(door=door)
        world.claim()
        if looked is not None:
            world.looked(looked)
        world.ask(PinTyped(pin))
        traces.append(world)
    plain, duress = traces
    silent = [what for what in duress.trace if what[1:2] in {(AuditKind.DURESS,), ("Duress",)}]
    assert [what for what in duress.trace if what not in silent] == plain.trace
    assert duress.trace[-2:] == silent
    assert [replace(r, record_id="") for r in plain.records] == [replace(r, record_id="") for r in duress.records[:-1]]
    last = duress.records[-1]
    assert (last.kind, last.subject_id, last.grant_id) == (AuditKind.DURESS, "ada", duress.decisions[-1].id)
    assert [u for u in duress.updates if not isinstance(u, Duress)] == plain.updates


def test_a_duress_pin_is_told_even_where_the_person_may_not_pass() -> None:
    world = World(subjects={"ada": replace(ADA, disabled=True)})
    world.claim()
    world.ask(PinTyped(DURESS_PIN))
    assert world.grants == []
    assert world.records[-1].kind is AuditKind.DURESS
    assert isinstance(world.updates[-1], Duress)


@pytest.mark.parametrize("broken", ["subject", "ready", "append", "fault", "twice"])
def test_the_alarm_leaves_whatever_fails_after_a_duress_pin_and_nothing_shows(broken: str) -> None:
    traces = []
    for pin in (PIN, DURESS_PIN):
        world = World()
        world.claim()
        world.fault = broken == "fault"
        world.broken = "" if broken in {"fault", "twice"} else broken
        if broken == "twice":
            world.reception._admission = None  # type: ignore[assignment]
        world.ask(PinTyped(pin))
        traces.append(world)
    plain, duress = traces
    assert duress.grants == []
    assert isinstance(duress.updates[-1], Duress)
    assert duress.updates[:-1] == plain.updates
    silent = {(AuditKind.DURESS,), ("Duress",)}
    assert [what for what in duress.trace if what[1:2] not in silent] == plain.trace
    assert {what[1:2] for what in duress.trace[len(plain.trace) :]} <= silent, "it comes last"
    if broken != "append":
        assert duress.records[-1].kind is AuditKind.DURESS


def test_an_alarm_that_fails_shows_nothing_and_is_no_end() -> None:
    world = World()
    world.reception._forced = lambda *_: 1 / 0  # type: ignore[assignment, return-value]
    world.claim()
    world.ask(PinTyped(DURESS_PIN))
    assert [d.granted for d in world.decisions] == [True]
    world.claim()
    assert world.reception.busy


# How fast all people together may guess with faces.


def wrong_faces(world: World, count: int, text: str = "4711") -> None:
    for _ in range(count):
        world.claim(text)
        if world.expected().looks_until > world.now:
            world.looked(granted=False)
        world.ask(GaveUp())


@pytest.mark.parametrize("text", ["4711", "9999"])
def test_after_many_faces_of_others_the_camera_looks_once_a_minute_and_the_pin_is_asked_for_at_once(text: str) -> None:
    world = World()
    wrong_faces(world, SOON, text)
    world.claim()
    assert world.steps[-1] is Step.PIN, "whoever is right waits for nobody"
    assert world.expected().looks_until == world.now
    world.ask(PinTyped(PIN))
    assert world.decisions[-1].granted
    world.now += EACH
    world.claim()
    assert world.steps[-1] is Step.FACE


@pytest.mark.parametrize("text", ["4711", "9999"])
def test_where_no_pin_opens_it_is_said_how_long_the_camera_does_not_look(text: str) -> None:
    world = World(entry=EntryConfig(number=True, pin=False))
    wrong_faces(world, SOON)
    world.now += 10
    world.claim(text)
    assert world.updates[-1] == EntryChanged(Step.WAIT, EACH - 10)
    assert (world.decisions[-1].reason, world.decisions[-1].proof) == (Reason.TOO_MANY_ATTEMPTS, Proof.VERIFICATION)
    assert not world.reception.busy
    world.now += EACH - 10
    world.claim(text)
    assert world.steps[-1] is Step.FACE


def test_right_faces_and_right_pins_make_nobody_wait() -> None:
    world = World()
    for _ in range(3 * CROWD):
        world.claim()
        assert world.steps[-1] is Step.FACE
        world.looked(granted=True)
    for _ in range(3 * CROWD):
        world.claim()
        assert world.steps[-1] is Step.FACE
        world.ask(PinTyped(PIN))
        assert world.decisions[-1].granted


# Bounds.


def test_more_requests_than_anybody_types_are_dropped() -> None:
    world = World()
    for _ in range(1000):
        world.reception.ask(PinTyped(WRONG))
    for _ in range(1000):
        world.turn()
    world.trace.clear()
    world.claim()
    assert world.trace[0] == ("publish", "EntryChanged", EntryChanged(Step.CHECKING))
    for _ in range(MOST_WAITING + 5):
        world.reception.ask(PinTyped(WRONG))
    assert len(world.reception._asked) == MOST_WAITING


HAPPENINGS: list[Callable[[World], object]] = [
    lambda w: w.claim(),
    lambda w: w.claim("9999"),
    lambda w: w.claim("KQ1CODE", Means.QR),
    lambda w: w.ask(PinTyped(PIN)),
    lambda w: w.ask(PinTyped(DURESS_PIN)),
    lambda w: w.ask(PinTyped(WRONG)),
    lambda w: w.ask(GaveUp()),
    lambda w: w.turn(),
    lambda w: w.expects and w.looked(True, w.expected().claim_id),
    lambda w: w.expects and w.looked(False, w.expected().claim_id),
    lambda w: setattr(w, "now", w.now + 9),
    lambda w: setattr(w, "now", w.now + 40),
    lambda w: w.reception.heard(Faulted(Reason.CAMERA_UNAVAILABLE, "")),
    lambda w: setattr(w, "broken", "check"),
    lambda w: setattr(w, "broken", "append"),
    lambda w: setattr(w, "broken", "find"),
    lambda w: setattr(w, "broken", ""),
]


@given(st.lists(st.sampled_from(range(len(HAPPENINGS))), max_size=30))
def test_whatever_happens_a_claim_lets_in_once_and_every_release_was_recorded_before(story: list[int]) -> None:
    world = World()
    for which in story:
        HAPPENINGS[which](world)
    granted = [d for d in world.decisions if d.granted]
    assert len({d.claim_id for d in granted}) == len(granted) == len(world.grants)
    recorded = set[str | None]()
    for what in world.trace:
        if what[0] == "release":
            assert recorded, "a release without a record"
        if what[:3] == ("record", AuditKind.DECISION, Outcome.GRANTED):
            recorded.add(what[1])
    ids = [r.grant_id for r in world.records if r.kind is AuditKind.DECISION and r.outcome == Outcome.GRANTED]
    assert {grant.id for grant in world.grants} <= set(ids)
    world.broken = ""
    for _ in range(2 + MOST_WAITING):
        world.now += 1000
        world.turn()
    assert not world.reception.busy, "nobody stays for ever"
