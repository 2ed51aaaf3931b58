"""Gathers what is kept about a person (domain.kept)."""

from __future__ import annotations

from kiosk.domain.kept import Kept, KeptReference
from kiosk.domain.people import Reference, Subject
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery
from kiosk.storage.passes import Passes
from kiosk.storage.people import NO_SECRETS
from kiosk.storage.visits import Visits


def kept_of(gallery: Gallery, subject: Subject, templates: bool = False) -> Kept:
    """All that there is. `templates`: with the templates themselves. Raises GalleryError."""
    references = [r for model in gallery.counts() for r in gallery.references(model) if r.subject_id == subject.id]
    record = gallery.record(subject.id)
    secrets = record.secrets if record else NO_SECRETS
    return Kept(
        subject,
        tuple(_reference(each, templates) for each in references),
        tuple(Audit(gallery.store).records(subject_id=subject.id)),
        tuple(issued for issued in Passes(gallery).issued() if issued.told.sponsor == subject.id),
        secrets.pin is not None,
        secrets.duress is not None,
        secrets.qr is not None,
        secrets.card is not None,
        tuple(sorted(visit.at for visit in Visits(gallery).kept(subject.id))),
    )


def _reference(reference: Reference, templates: bool) -> KeptReference:
    data = reference.template.tobytes()
    made, network, quality = reference.created_at, reference.model_id, reference.quality
    return KeptReference(made, network, quality, len(data), reference.light, data if templates else None)
