"""Renews people silently while the embedder is being changed (domain.transition): whoever was let in by a reference of
the earlier network gets references of the current one, from the frames of that very attempt.

It begins when the door has acted on the grant, and can neither delay nor undo it. What goes wrong is told and recorded,
and the person gets in by the earlier references as before. Nothing else takes in faces at the door, so all of this must
hold, or nothing is written:

- every frame of the attempt was live and matched this subject, and domain.transition.FRAMES or more pass enrolment's
  gate: upright, one face, nothing that hides it, good light;
- each of them reaches a stricter score than the door's by the earlier network (domain.transition.strict);
- by the current network they agree with each other, and with what the person has of it;
- nobody else comes near, by either network;
- both searches together still keep the rate, so that nobody at all is shut out by it (domain.transition.beyond);
- the person is not shut out meanwhile, and has consented where the site requires it;
- the gallery did not change between these checks and the transaction.
"""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from kiosk.config import Config
from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.decision import Decision, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.matching import cosine, rounded
from kiosk.domain.people import NewReference, Reference, Subject
from kiosk.domain.policy import entitlement
from kiosk.domain.ports.recognition import QualityGate
from kiosk.domain.renewal import Enrolled, Measure
from kiosk.domain.transition import FRAMES, NEAR, WANTED, Candidate, Kept, beyond, counting, shares, strict
from kiosk.station.enrolment import SAME_PICTURE, SECOND_FACE, with_another
from kiosk.station.turns import turning
from kiosk.storage.database import open_database
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.switching import add_current
from kiosk.storage.vault import Vault
from kiosk.vision.models import Models

log = structlog.get_logger("kiosk")

WAITING = 8
"""Most people who wait to be renewed; who comes when there are more is renewed at another visit."""
TURN_SECONDS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A grant, and the frames behind it that passed enrolment's gate."""

    decision: Decision
    frames: tuple[Candidate, ...]


class _NotRenewed(Exception):  # noqa: N818 - no fault: this visit was not good enough
    """Why somebody is not renewed at this visit."""


class Renewals:
    """`offer` is for the pipeline's thread, `turn` for a thread of its own, whose gallery this is."""

    def __init__(
        self,
        gallery: Gallery,
        current: Measure,
        earlier: Measure,
        gate: QualityGate,
        note: Callable[[AuditRecord], None],
        consent: bool = False,
        named: bool = True,
    ) -> None:
        """`note`: Access.note. `consent`: whether only who has consented is renewed ([consent] required). `named`:
        whether records say who it was ([audit] subject_ids)."""
        self._gallery = gallery
        self._current = current
        self._earlier = earlier
        self._gate = gate
        self._note = note
        self._consent = consent
        self._named = named
        self._visits: queue.Queue[Visit] = queue.Queue(WAITING)

    def offer(self, decision: Decision, kept: Sequence[Kept]) -> None:
        """Takes the frames of a grant that the door has acted on. Never raises."""
        try:
            frames = tuple(made for each in kept if (made := self._gated(each)) is not None)
            if len(frames) < FRAMES:
                self._tell(decision, f"{len(frames)} frames pass enrolment's gate, not {FRAMES}")
                return
            self._visits.put_nowait(Visit(decision, frames))
        except queue.Full:
            self._tell(decision, "too many wait")
        except Exception as error:  # noqa: BLE001 - the door has answered; this is recorded, and costs nobody entry
            self._failed(decision, error)

    def turn(self) -> None:
        """Renews who waits. Returns after TURN_SECONDS at the latest if nobody does. Never raises."""
        try:
            visit = self._visits.get(timeout=TURN_SECONDS)
        except queue.Empty:
            return
        try:
            number = self._renew(visit)
            log.info("renewed", decision=visit.decision.id, references=number)
        except _NotRenewed as why:
            self._tell(visit.decision, str(why))
        except Exception as error:  # noqa: BLE001 - recorded, and costs nobody entry
            self._failed(visit.decision, error)

    def _gated(self, kept: Kept) -> Candidate | None:
        """The frame, if enrolment would take it as a picture; None if not. The door's gate has passed it already."""
        others = any(face.box.width >= SECOND_FACE * kept.faces[0].box.width for face in kept.faces[1:])
        if others or kept.made.hints or kept.made.earlier is None or kept.quality.flaw is not None:
            return None
        if not self._gate.upright(kept.image, kept.faces[0]):
            return None
        earlier = kept.made.earlier()
        if earlier is None:
            return None
        return Candidate(kept.made.vector, earlier, kept.quality.score, kept.quality.light)

    def _renew(self, visit: Visit) -> int:
        """Returns how many references were made. Raises _NotRenewed, GalleryError."""
        version = self._gallery.data_version()
        subject_id = self._entitled(visit.decision).id
        current, earlier = (self._gallery.enrolled(m.model_id) for m in (self._current, self._earlier))
        counts = _counts(current.references)
        if subject_id not in counting(counts, _counts(earlier.references)):
            raise _NotRenewed("they have references enough, or none of before")
        chosen = self._chosen(visit.frames, subject_id, current, earlier)[: WANTED - counts[subject_id]]
        self._refuse_beyond(counts, _counts(earlier.references), subject_id, len(chosen))
        new = [NewReference(f.vector, self._current.model_id, f.quality, f.light) for f in chosen]

        def unchanged() -> None:
            if self._gallery.data_version() != version:
                raise _NotRenewed("the gallery has changed meanwhile")

        told = {"decision": visit.decision.id, "from": self._earlier.model_id, "to": self._current.model_id}
        add_current(self._gallery, subject_id, new, told, unchanged, named=self._named)
        return len(new)

    def _entitled(self, decision: Decision) -> Subject:
        """The subject of the grant. Raises _NotRenewed for who may not pass any more, or has not consented."""
        subject = None if decision.subject_id is None else self._gallery.subject(decision.subject_id)
        if subject is None or entitlement(subject, decision.evidence.wall_at) is not Reason.MATCHED:
            raise _NotRenewed("they may not pass any more")
        if self._consent and subject.consent is None:
            raise _NotRenewed("no consent is recorded")
        return subject

    def _chosen(
        self, frames: Sequence[Candidate], subject_id: str, current: Enrolled, earlier: Enrolled
    ) -> list[Candidate]:
        """The frames to make references of, the best first. Raises _NotRenewed."""
        of = _Of(subject_id, self._current, current), _Of(subject_id, self._earlier, earlier)
        now, before = of
        still = counting(_counts(current.references), _counts(earlier.references))
        searched = self._earlier.matrix(earlier.turning, [r for r in earlier.references if r.subject_id in still])
        _, rest = shares(now.everybody, searched.sizes)
        wanted = strict(self._earlier.thresholds.sharing(rest), searched.sizes)
        door = self._earlier.thresholds.for_gallery(before.everybody).score
        with_them = with_another(now.others.sizes, WANTED)
        share, _ = shares(with_them, searched.sizes)
        limit = self._current.thresholds.sharing(share).for_gallery(with_them).score
        if too_many := self._current.thresholds.beyond(with_them):
            raise _NotRenewed(too_many)
        alike = self._current.thresholds.for_gallery({1: 1}).score
        for frame in frames:
            if before.own.best(frame.earlier, subject_id)[0] < wanted:
                raise _NotRenewed("they do not resemble their earlier references enough")
            if before.others.search(frame.earlier, door).score >= door - NEAR:
                raise _NotRenewed("somebody else resembles them")
            if now.others.search(frame.vector, limit).score >= limit - NEAR:
                raise _NotRenewed("somebody else resembles them")
            if len(now.own) and now.own.best(frame.vector, subject_id)[0] < alike:
                raise _NotRenewed("they do not resemble their newer references")
        cohort, ranked = self._current.cohort, sorted(frames, key=lambda f: -f.quality)
        templates = [rounded(f.vector) for f in ranked]
        if any(cohort.score(a, b) < limit for i, a in enumerate(templates) for b in templates[:i]):
            raise _NotRenewed("the frames do not resemble each other")
        kept: list[int] = []
        for i, template in enumerate(templates):
            if all(cosine(template, templates[j]) < SAME_PICTURE for j in kept):
                kept.append(i)
        return [ranked[i] for i in kept]

    def _refuse_beyond(self, current: Counter[str], earlier: Counter[str], subject_id: str, new: int) -> None:
        """Raises _NotRenewed where so many new references of this subject would take the rate from one of the two
        searches: the door would let in nobody by it."""

        def why(now: Counter[str]) -> str:
            still = Counter(earlier[who] for who in counting(now, earlier))
            return beyond(self._current.thresholds, Counter(now.values()), self._earlier.thresholds, still)

        then = why(current + Counter({subject_id: new}))
        if then and not why(current):
            raise _NotRenewed(then)

    def _tell(self, decision: Decision, why: str) -> None:
        log.info("not_renewed", decision=decision.id, why=why)

    def _failed(self, decision: Decision, error: Exception) -> None:
        what = str(error) if isinstance(error, GalleryError) else type(error).__name__  # no name in a journal
        log.error("renewal_failed", decision=decision.id, error=what)
        told: dict[str, str | int | float | bool | None] = {"decision": decision.id, "error": type(error).__name__}
        self._note(AuditRecord(AuditKind.FAULT, datetime.now(UTC), reason=AuditReason.RENEWAL_FAILED, detail=told))


class _Of:
    """The references of one network: the subject's own, and all others'."""

    def __init__(self, subject_id: str, measure: Measure, known: Enrolled) -> None:
        self.own = measure.matrix(known.turning, [r for r in known.references if r.subject_id == subject_id])
        self.others = measure.matrix(known.turning, [r for r in known.references if r.subject_id != subject_id])
        own = {len(self.own): 1} if len(self.own) else {}
        self.everybody = {**self.others.sizes}
        for size, number in own.items():
            self.everybody[size] = self.everybody.get(size, 0) + number


def _counts(references: Sequence[Reference]) -> Counter[str]:
    return Counter(reference.subject_id for reference in references)


@contextmanager
def renewing(
    config: Config, home: Home, vault: Vault, models: Models, gate: QualityGate, note: Callable[[AuditRecord], None]
) -> Iterator[Callable[[Decision, Sequence[Kept]], None]]:
    """Runs the thread, if the embedder is being changed, with a connection of its own to the gallery. The watchdog does
    not watch it: nobody at the door waits for it."""
    earlier = models.earlier_measure
    if earlier is None:
        yield lambda *_: None
        return
    store = open_database(home.database, check=False)
    with closing(Gallery(store, vault)) as gallery:
        required, named = config.consent.required, config.audit.subject_ids
        renewals = Renewals(gallery, models.measure, earlier, gate, note, required, named)
        with turning("renewals", renewals.turn, lambda: None):
            yield renewals.offer
