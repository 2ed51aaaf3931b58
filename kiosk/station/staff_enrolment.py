"""An enrolment at the kiosk, step by step: consent, who it is, poses, checks, back again, ways in. Everything is kept
in memory; the last step writes it in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason
from kiosk.domain.errors import GalleryError, NotAllowedError, SampleError
from kiosk.domain.face import Vector
from kiosk.domain.people import NewReference, Subject
from kiosk.domain.staff_views import (
    Checked,
    ComeBack,
    ConsentText,
    Declined,
    Done,
    Failure,
    NotEnrolled,
    Posing,
    Problem,
    StaffView,
    WaysIn,
    WhoIsIt,
)
from kiosk.domain.staffing import About, Again, Answered, Finish, ReadIn, SkipPose, StaffRequest
from kiosk.station import consent
from kiosk.station.booth_tasks import State, Task
from kiosk.station.candidates import Found
from kiosk.station.staff_draft import Draft, Step, problem_of
from kiosk.station.staff_session import REASONS, Office, Person
from kiosk.storage import enrolling
from kiosk.storage.claims import digest, free_number, new_code
from kiosk.storage.pins import made_both

RETRY = frozenset({Failure.TOO_LONG, Failure.SOMEBODY_ELSE, Failure.NOT_RECOGNISED})
"""After these the poses can be taken again; after everything else the enrolment is over."""


class Enrolling:
    """One enrolment; of somebody new, or with new pictures of `again`, in place of the old ones or beside them
    (`add`)."""

    def __init__(self, office: Office, who: Person, again: Subject | None = None, *, add: bool = False) -> None:
        self._office = office
        self._who = who
        self._again = again
        self._add = add
        self._draft = Draft()
        self._text = consent.find(office.consent, None)
        self._step = Step.CONSENT
        self.view: StaffView = self._consent()
        if again is not None and again.consent is not None:
            self._pose()

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self._step is Step.OVER

    @property
    def _renewed(self) -> str | None:
        """Whose pictures are renewed; None for somebody new."""
        return None if self._again is None else self._again.id

    def ask(self, request: StaffRequest) -> StaffView:
        """Takes a request; one that does not belong to this step changes nothing. Raises KioskError."""
        match request:
            case ReadIn(language) if self._step is Step.CONSENT:
                self._text = consent.find(self._office.consent, f"{self._text.version}/{language}")
                self.view = self._consent()
            case Answered(agreed) if self._step is Step.CONSENT:
                self._answer(agreed)
            case About() if self._step is Step.WHO:
                self.view = self._take(request)
            case SkipPose() if self._step is Step.POSES:
                self._office.booth.skip()
            case Again() if self._step in {Step.POSES, Step.BACK}:
                self._pose()
            case Finish() if self._step is Step.WAYS:
                self.view = self._finish(request)
            case _:
                pass
        return self.view

    def seen(self, state: State) -> StaffView:
        """Takes what the booth has seen. Raises KioskError."""
        here = {Step.POSES: Task.POSES, Step.BACK: Task.BACK}.get(self._step)
        if here is None or (state.task is not here and state.failure is None):
            return self.view
        if state.failure is not None and state.failure not in RETRY:
            self.view = self._end(REASONS[state.failure], failure=state.failure)
            return self.view
        if state.failure is not None:
            self._note(REASONS[state.failure])
        if self._step is Step.POSES and state.progress is not None:
            self.view = Posing(state.progress, state.failure)
        elif self._step is Step.BACK:
            self.view = ComeBack(self._draft.checked, state.away, state.share, state.trouble, state.failure)
        if state.done:
            self._check() if self._step is Step.POSES else self._recognised()
        return self.view

    def leave(self) -> None:
        """Breaks it off. Nothing was written."""
        if self._step is not Step.OVER:
            self._note(AuditReason.BROKEN_OFF)
            self._step = Step.OVER
        self._draft = Draft()

    def _consent(self) -> ConsentText:
        there = consent.names(self._office.consent)
        languages = tuple(n.language for n in there if n.version == self._text.version)
        said = consent.text(self._office.consent, self._text)
        return ConsentText(said, self._text.version, self._text.language, languages, self._office.consent.alternative)

    def _answer(self, agreed: bool) -> None:
        if not agreed:
            self._note(AuditReason.NOT_AGREED)
            self._step = Step.OVER
            self.view = Declined(self._office.consent.alternative)
            return
        by = f"subject {self._who.subject_id}"
        made = consent.agreed(self._office.consent, self._text, self._office.now(), by)
        self._draft = replace(self._draft, agreed=made)
        if self._again is not None:
            self._pose()
        else:
            self._step, self.view = Step.WHO, WhoIsIt()

    def _take(self, about: About) -> StaffView:
        problem = problem_of(self._office, about)
        if problem is not None:
            return WhoIsIt(about, problem)
        number = about.number or free_number(self._office.gallery)
        self._draft = replace(self._draft, about=about, number=number)
        return self._pose()

    def _pose(self) -> StaffView:
        """Takes the poses, from the beginning."""
        self._draft = replace(self._draft, vectors=(), earlier=(), qualities=(), lights=())
        self._step = Step.POSES
        self._office.booth.poses()
        state = self._office.booth.state
        if state.progress is not None:
            self.view = Posing(state.progress)
        return self.view

    def _check(self) -> None:
        """Whom the pictures look like; then the person steps away."""
        looks = [look for look in self._office.booth.taken.values() if look.vector is not None]
        vectors = tuple(look.vector for look in looks if look.vector is not None)
        if not vectors:
            self.view = self._end(AuditReason.BROKEN_OFF, failure=Failure.FAULT)
            return
        made = [look.earlier() for look in looks if look.earlier is not None]
        earlier = tuple(vector for vector in made if vector is not None)
        self._draft = replace(self._draft, vectors=vectors, earlier=earlier)
        ended = self._refused(vectors)
        if ended is not None:
            self.view = ended
            return
        found = self._look()
        self._draft = replace(
            self._draft,
            qualities=tuple(look.quality for look in looks),
            lights=tuple(look.light for look in looks),
            checked=Checked(len(vectors), found.alike),
        )
        self._step = Step.BACK
        self._office.booth.back(self._office.candidates.with_these(vectors, self._renewed, self._beside()))
        self.view = ComeBack(self._draft.checked, away=False)

    def _refused(self, vectors: Sequence[Vector]) -> NotEnrolled | None:
        """Why these pictures cannot be enrolled; None if they can."""
        again = self._renewed
        found = self._look()
        if found.twin is not None:
            other = self._office.gallery.subject(found.twin)
            name = other.name if other else None
            return self._end(AuditReason.LOOKS_LIKE_ANOTHER, Problem.ENROLLED_ALREADY, name=name)
        if again is not None and not self._office.candidates.is_of(vectors, again, self._draft.earlier):
            return self._end(AuditReason.LOOKS_LIKE_ANOTHER, Problem.NOT_THE_SAME)
        if found.beyond and (again is None or self._add):
            return self._end(AuditReason.BROKEN_OFF, Problem.FULL)
        return None

    def _look(self) -> Found:
        draft = self._draft
        return self._office.candidates.look(draft.vectors, self._renewed, self._beside(), draft.earlier)

    def _beside(self) -> int:
        """How many references the person keeps beside the new ones."""
        if self._again is None or not self._add:
            return 0
        return len(self._office.lights([self._again.id]).get(self._again.id, ()))

    def _recognised(self) -> None:
        """The person came back and was recognised by the pictures alone."""
        self._office.booth.hold()
        if self._again is not None:
            self.view = self._renew(self._again)
            return
        self._step = Step.WAYS
        self.view = WaysIn(self._draft.about.name, self._draft.number)

    def _finish(self, request: Finish) -> StaffView:
        draft, about = self._draft, self._draft.about
        if draft.number == request.pin:
            return WaysIn(about.name, draft.number, Problem.PIN)
        try:
            secrets = made_both(request.pin)
        except GalleryError:
            return WaysIn(about.name, draft.number, Problem.PIN)
        code = new_code() if request.qr else None
        secrets = replace(secrets, qr=digest(code) if code else None)
        who = enrolling.Newcomer(
            about.name, draft.number, about.valid_from, about.valid_until, draft.agreed, draft.checked.look_alike
        )
        try:
            subject = enrolling.enrol(
                self._office.gallery, who, self._references(), secrets, self._detail(), self._check_again
            )
        except SampleError:
            return self._end(AuditReason.LOOKS_LIKE_ANOTHER, Problem.ENROLLED_ALREADY)
        self._step, self._draft = Step.OVER, Draft()
        return Done(subject.name, subject.number, subject.verify, subject.valid_from, code)

    def _renew(self, subject: Subject) -> StaffView:
        gallery, references, detail = self._office.gallery, self._references(), self._detail()
        try:
            if self._add:
                enrolling.add(gallery, subject.id, references, self._draft.agreed, detail, self._check_again)
            else:
                enrolling.renew(gallery, subject.id, references, self._draft.agreed, detail, self._check_again)
        except SampleError:
            return self._end(AuditReason.LOOKS_LIKE_ANOTHER, Problem.ENROLLED_ALREADY)
        self._step, self._draft = Step.OVER, Draft()
        added, renewed = self._add, not self._add
        return Done(subject.name, subject.number, subject.verify, subject.valid_from, renewed=renewed, added=added)

    def _check_again(self) -> None:
        """Inside the transaction: a command may have enrolled somebody since the checks, or changed who may do this.
        Raises SampleError, NotAllowedError."""
        staff, again = (self._office.gallery.subject(who) for who in (self._who.subject_id, self._renewed or ""))
        lost = staff is None or staff.disabled or staff.role is not self._who.role
        if lost or (self._again is not None and (again is None or not self._who.may_change(again))):
            raise NotAllowedError("who may enrol has changed meanwhile")
        if self._look().twin is not None:
            raise SampleError("somebody who looks the same was enrolled meanwhile")

    def _references(self) -> list[NewReference]:
        model = self._office.measure.model_id
        draft = self._draft
        taken = zip(draft.vectors, draft.qualities, draft.lights, strict=True)
        return [NewReference(vector, model, quality, light) for vector, quality, light in taken]

    def _detail(self) -> dict[str, str | int | float | bool | None]:
        lights = self._draft.lights
        return {"poses": len(self._draft.vectors), "light": round(sum(lights) / len(lights)) if lights else None}

    def _end(
        self,
        why: AuditReason,
        problem: Problem | None = None,
        failure: Failure | None = None,
        name: str | None = None,
    ) -> NotEnrolled:
        self._note(why)
        self._step, self._draft = Step.OVER, Draft()
        self._office.booth.hold()
        return NotEnrolled(problem, failure, name)

    def _note(self, why: AuditReason) -> None:
        outcome = AuditOutcome.NOT_ENROLLED
        self._office.note(AuditKind.ENROLMENT, outcome, why, self._renewed, source=enrolling.SOURCE)


def further(before: StaffView, after: StaffView) -> bool:
    """Whether an enrolment got on: another pose, or another page."""
    if isinstance(before, Posing) and isinstance(after, Posing):
        return len(after.progress.taken) > len(before.progress.taken)
    return type(before) is not type(after)
