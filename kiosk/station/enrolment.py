"""Enrolment from pictures: which pictures are good enough, and who may be enrolled with them.

All rules that keep strangers out of the gallery are here; `kiosk enrol` and the demonstration only call them. All
checks are made before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kiosk.cameras.sources import Still, is_clip, pictures_of, read_picture, stills
from kiosk.domain.errors import SampleError, UnsafeError
from kiosk.domain.face import Flaw, Hint, Vector
from kiosk.domain.matching import Cohort, cosine, rounded
from kiosk.domain.people import Consent, Need, NewReference, Reference, Subject
from kiosk.domain.ports.recognition import Detector, Embedder, QualityGate
from kiosk.domain.renewal import Enrolled, TurnedMatrix
from kiosk.domain.thresholds import Sizes, Thresholds
from kiosk.station.earlier_references import EarlierReferences
from kiosk.storage.gallery import Gallery
from kiosk.vision.models import Models

MAX_REFERENCES = 5
"""Most references of one subject. Of more samples the best are taken."""
SAME_PICTURE = 0.98
"""Two samples with at least this cosine count as the same picture."""
CLIP_STEP = 5
"""Of a clip, enrolment uses every fifth frame."""
SECOND_FACE = 0.5
"""With a second face of at least this share of the largest face's width, it is not clear whom to enrol."""

ADVICE: dict[Flaw | Hint, str] = {
    Flaw.TOO_SMALL: "the face is too small: take the picture from nearer",
    Flaw.OUTSIDE_GUIDE: "the face is at the edge: put it in the middle",
    Flaw.TOO_NEAR: "the face is too near: take the picture from further away",
    Flaw.CLIPPED: "the face is cut off: show the whole face",
    Flaw.TURNED_OVER: "the picture is turned: set it upright",
    Flaw.TURNED: "the face is turned away: look straight at the camera",
    Flaw.BLURRED: "the face is blurred: hold still",
    Flaw.TOO_DARK: "the face is too dark: turn on a light",
    Flaw.TOO_BRIGHT: "the face is too bright: avoid direct light",
    Flaw.UNNATURAL: "the picture shows no natural face: take one of the whole, bare face, in even light and in colour",
    Hint.MOUTH_COVERED: "mouth or nose is covered: take off the mask",
    Hint.EYES_HIDDEN: "the eyes are hidden: take off dark glasses, and let nothing lie over the eyes",
    Hint.UNEVEN_LIGHT: "the light comes from one side: turn to the light",
}


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentSample:
    """A face that may become a reference: its scaled feature vector, and its quality. `earlier`: its vector by the
    embedder of before, while it is being changed."""

    name: str
    vector: Vector
    quality: float
    earlier: Vector | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The samples of one person's pictures, and what is wrong with each that was left out."""

    samples: list[EnrolmentSample]
    left_out: list[str]


class Enroller:
    """Turns pictures into the references of one person."""

    def __init__(
        self,
        detector: Detector,
        quality: QualityGate,
        embedder: Embedder,
        thresholds: Thresholds,
        cohort: Cohort,
    ) -> None:
        self._detector = detector
        self._quality = quality
        self._embedder = embedder
        self.thresholds = thresholds
        self._cohort = cohort

    def sample(self, still: Still) -> EnrolmentSample:
        """The sample of a picture. Raises SampleError, which names the picture and what is wrong with it."""
        faces = self._detector.detect(still.image)
        if not faces:
            raise SampleError(f"{still.name}: no face is found")
        if len(faces) > 1 and faces[1].box.width >= SECOND_FACE * faces[0].box.width:
            raise SampleError(f"{still.name}: {len(faces)} faces are found: one person only")
        quality = self._quality.assess(still.image, faces[0])
        if quality.flaw is not None:
            raise SampleError(f"{still.name}: {ADVICE[quality.flaw]}")
        made = self._embedder.embed(still.image, faces[0])
        if made is None:
            raise SampleError(f"{still.name}: {ADVICE[Flaw.UNNATURAL]}")
        if made.hints:
            raise SampleError(f"{still.name}: {ADVICE[made.hints[0]]}")
        earlier = None if made.earlier is None else made.earlier()
        if made.earlier is not None and earlier is None:
            raise SampleError(f"{still.name}: {ADVICE[Flaw.UNNATURAL]}")
        return EnrolmentSample(still.name, made.vector, quality.score, earlier)

    def gather(self, sources: Iterable[Path]) -> Gathered:
        """The samples of photographs, folders of them, and clips. A poor photograph spoils nothing: it is left out, and
        said. Raises SampleError if none is good, and for a source that is not there."""
        good: list[EnrolmentSample] = []
        poor: list[SampleError] = []
        for source in sources:
            if is_clip(source):
                good += self._of_clip(source)
                continue
            for picture in pictures_of(source):
                try:
                    good.append(self.sample(Still(str(picture), read_picture(picture), 0, 0.0)))
                except SampleError as error:
                    poor.append(error)
        if not good:
            more = f" (and {len(poor) - 1} other pictures cannot be used)" if poor[1:] else ""
            raise SampleError(f"{poor[0]}{more}")
        return Gathered(good, [str(error) for error in poor])

    def _of_clip(self, source: Path) -> list[EnrolmentSample]:
        """The best frames of a clip. Raises SampleError for a clip without a good frame."""
        good: list[EnrolmentSample] = []
        poor = SampleError(f"{source}: the clip holds no frames")
        for still in stills(source):
            if still.number % CLIP_STEP:
                continue
            try:
                good.append(self.sample(still))
            except SampleError as error:
                poor = error
        if not good:
            raise poor
        return self.best_of_clip(good)

    def best(self, samples: Sequence[EnrolmentSample]) -> list[EnrolmentSample]:
        """At most MAX_REFERENCES samples, the best first, none nearly identical to another.

        Raises SampleError unless all samples match the best one.
        """
        ranked = sorted(samples, key=lambda s: -s.quality)
        first = ranked[0]
        for other in ranked[1:]:
            if not self._alike(first, other):
                raise SampleError(f"{other.name} does not match {first.name}: another person or a poor picture")
        return _distinct(ranked)

    def best_of_clip(self, samples: Sequence[EnrolmentSample]) -> list[EnrolmentSample]:
        """Like `best`, for frames of one clip, in which a person turns and talks. Leaves out frames that do not match
        the best one.

        Raises SampleError if that is half of them or more, because then the clip does not show one person.
        """
        ranked = sorted(samples, key=lambda s: -s.quality)
        alike = [s for s in ranked if self._alike(ranked[0], s)]
        if 2 * len(alike) <= len(ranked):
            raise SampleError(f"{ranked[0].name}: the frames of the clip do not match one another: one person only")
        return _distinct(alike)

    def refuse_too_many(self, sizes: Sizes) -> None:
        """Raises UnsafeError when a gallery of these sizes is too large for the measured error rates."""
        if beyond := self.thresholds.beyond(sizes):
            raise UnsafeError(beyond)

    def _alike(self, a: EnrolmentSample, b: EnrolmentSample) -> bool:
        """Whether two samples match, with the threshold for a gallery of one reference."""
        return self._cohort.score(rounded(a.vector), rounded(b.vector)) >= self.thresholds.for_gallery({1: 1}).score

    def already(self, samples: Iterable[EnrolmentSample], enrolled: TurnedMatrix) -> str | None:
        """The enrolled subject that one of the samples would match at the door; None if there is none."""
        threshold = self.thresholds.for_gallery(enrolled.sizes).score
        for s in samples:
            comparison = enrolled.search(s.vector, threshold)
            if comparison.mated:
                return comparison.subject_id
        return None


class Enrolment:
    """Enrols people into one open gallery, each with the samples that Enroller.best has chosen."""

    def __init__(self, enroller: Enroller, gallery: Gallery, models: Models, called: Callable[[Subject], str]) -> None:
        """`called`: how an error names a subject, because only a terminal may show names."""
        self._enroller = enroller
        self._gallery = gallery
        self._called = called
        self._cohort = models.cohort
        self._model_id = models.embedder_entry.model_id
        self._dimension = models.embedder_entry.dimension
        self._before = EarlierReferences(gallery, models.earlier_measure)

    def add(
        self,
        samples: Sequence[EnrolmentSample],
        name: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        badge: int | None = None,
        consent: Consent | None = None,
        number: str | None = None,
        needs: Sequence[Need] = (),
    ) -> Subject:
        """Enrols a new person. Raises SampleError when the person looks like an enrolled subject, UnsafeError when the
        gallery would be too large for the measured error rates, GalleryError."""
        known = self._enrolled()
        self._refuse(samples, [], self._matrix(known, known.references), None)
        new, validity = self._new(samples), (valid_from, valid_until)
        return self._gallery.add_subject(name, new, *validity, badge, consent, number, needs=needs)

    def renew(self, samples: Sequence[EnrolmentSample], subject: Subject, consent: Consent | None = None) -> None:
        """Gives a subject new references in place of the old ones, and another consent if there is one. Id, badge and
        validity must not pass to another person's face, as far as that can be detected: by references of the same
        network.

        Raises SampleError when they look like another subject, or not like the subject; UnsafeError; GalleryError.
        """
        known = self._enrolled()
        own = [r for r in known.references if r.subject_id == subject.id]
        others = [r for r in known.references if r.subject_id != subject.id]
        self._refuse(samples, own, self._matrix(known, others), subject.id)
        comparable = own or self._before.of(subject.id)
        if comparable and self._like(samples, self._matrix(known, own), lambda who: who == subject.id) is None:
            raise SampleError(
                f"the pictures do not look like {self._called(subject)} as enrolled: "
                "if it is the same person, remove them and enrol them anew"
            )
        self._gallery.renew(subject.id, self._new(samples), consent)

    def of_name(self, name: str) -> list[Subject]:
        """The enrolled subjects of exactly this name. Raises GalleryError."""
        return [subject for subject in self._gallery.subjects() if subject.name == name]

    def known(self, samples: Sequence[EnrolmentSample], subjects: Sequence[Subject]) -> Subject | None:
        """Which of the subjects the samples match; None if none. Raises GalleryError."""
        ids = {subject.id: subject for subject in subjects}
        known = self._enrolled()
        theirs = [r for r in known.references if r.subject_id in ids]
        found = self._like(samples, self._matrix(known, theirs), ids.__contains__)
        return None if found is None else ids[found]

    def _like(
        self, samples: Sequence[EnrolmentSample], references: TurnedMatrix, whose: Callable[[str], bool]
    ) -> str | None:
        """The subject that the samples match, by these references or, while the embedder is being changed, by those of
        before of the subjects that `whose` takes."""
        found = self._enroller.already(samples, references)
        return self._before.twin([s.earlier for s in samples], whose) if found is None else found

    def _refuse(
        self, samples: Sequence[EnrolmentSample], own: list[Reference], rest: TurnedMatrix, but: str | None
    ) -> None:
        """Refuses samples that look like another subject (`rest`: all others; `but`: whose they are), and more
        references than the error rates carry."""
        twin = self._like(samples, rest, lambda who: who != but)
        if twin is not None:
            other = self._gallery.subject(twin)
            who = self._called(other) if other else twin
            raise SampleError(
                f"the pictures look like {who}, who is enrolled already: enrol them --again, or remove them"
            )
        if len(samples) > len(own):
            self._enroller.refuse_too_many(with_another(rest.sizes, len(samples)))
            if beyond := self._before.beyond(self._enroller.thresholds, self._model_id, but, len(samples)):
                raise UnsafeError(beyond)

    def _enrolled(self) -> Enrolled:
        return self._gallery.enrolled(self._model_id)

    def _matrix(self, known: Enrolled, references: Sequence[Reference]) -> TurnedMatrix:
        return TurnedMatrix(self._model_id, self._dimension, self._cohort, known.turning, references)

    def _new(self, samples: Sequence[EnrolmentSample]) -> list[NewReference]:
        return [NewReference(s.vector, self._model_id, s.quality) for s in samples]


def with_another(sizes: Sizes, references: int) -> Sizes:
    """A gallery's sizes with one more subject that has `references` references."""
    return {**sizes, references: sizes.get(references, 0) + 1}


def _distinct(ranked: Sequence[EnrolmentSample]) -> list[EnrolmentSample]:
    """The first MAX_REFERENCES samples that are not nearly identical."""
    kept: list[EnrolmentSample] = []
    for s in ranked:
        if len(kept) < MAX_REFERENCES and all(
            cosine(rounded(s.vector), rounded(k.vector)) < SAME_PICTURE for k in kept
        ):
            kept.append(s)
    return kept
