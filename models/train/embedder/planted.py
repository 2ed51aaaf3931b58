"""What `kiosk gallery check` finds of faults that are planted into a gallery of people of the data folder.

    python -m models.train.embedder.planted NAME [--draws 3] [--shared FOLDER] [--work FOLDER]

For any embedder of the manifest. A gallery of 2,000 people with three references each: 100 people with names in the
sets are enrolled twice, 100 have a stranger's picture among their three, the other named ones and people of one picture
each (two more references by noise to a cosine of ALIKE, about what two pictures of one person have) have no fault. Each
draw takes other people and pictures.

The sets' names are wrong in places. A finding that a label denies and both of the teachers confirm is counted apart:
pictures of one label whose mean cosine is below APART for both show two people, and they decide who is twice in the
sets (false_matches.one_person).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.domain.clusters import Findings, Limits, Mixture, check
from kiosk.domain.matching import quantize
from kiosk.domain.people import Reference
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.models import load
from models.train.common.faces import MARGIN, Face, pictures, read_faces, shared_folder
from models.train.embedder.false_matches import one_person
from models.train.embedder.measure import Teachers, embed

PEOPLE, PLANTED, PICTURES = 2000, 100, 3
ALIKE = 0.65
APART = 0.2
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What is known of the pictures, by their number: unit vectors of the embedder and of both teachers."""

    own: dict[int, Vectors]
    teachers: tuple[dict[int, Vectors], dict[int, Vectors]]

    def cosines(self, a: Sequence[int], b: Sequence[int]) -> tuple[Vectors, Vectors]:
        """Both teachers' of each picture of `a` with each of `b`."""
        first, second = (np.stack([t[i] for i in a]) @ np.stack([t[i] for i in b]).T for t in self.teachers)
        return first, second


@dataclass(frozen=True)
class Gallery:
    """Subjects by id with the numbers of their pictures (one number again: by noise), and which have a fault."""

    subjects: dict[str, tuple[int, ...]]
    twice: frozenset[frozenset[str]]
    mixed: frozenset[str]


def named(faces: Sequence[Face]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for f in faces:
        if f.identity:
            found[f.identity].append(f.index)
    return {who: of for who, of in sorted(found.items()) if len(of) >= PICTURES}


def planted(people: dict[str, list[int]], others: Sequence[int], rng: np.random.Generator) -> Gallery:
    """`others`: pictures of people of whom there is one."""
    many = [who for who in people if len(people[who]) >= 2 * PICTURES]
    chosen = [many[k] for k in rng.permutation(len(many))]
    twice, mixed = chosen[:PLANTED], chosen[PLANTED : 2 * PLANTED]
    strangers = [others[k] for k in rng.permutation(len(others))]
    subjects: dict[str, tuple[int, ...]] = {}
    for who, of in people.items():
        drawn = tuple(int(i) for i in rng.permutation(of)[: 2 * PICTURES])
        subjects[who] = drawn[:PICTURES]
        if who in twice:
            subjects[f"{who} again"] = drawn[PICTURES:]
        if who in mixed:
            subjects[who] = (*drawn[: PICTURES - 1], strangers.pop())
    while len(subjects) < PEOPLE:
        subjects[f"picture {strangers[-1]}"] = (strangers.pop(),) * PICTURES
    return Gallery(subjects, frozenset(frozenset((w, f"{w} again")) for w in twice), frozenset(mixed))


def references(gallery: Gallery, seen: Seen, model_id: str, scale: float, rng: np.random.Generator) -> list[Reference]:
    """Templates as a gallery has them, but not turned. The id says which picture it is: PERSON/PLACE."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    for who, of in gallery.subjects.items():
        for k, i in enumerate(of):
            v = seen.own[i]
            if len(set(of)) == 1:
                noise = rng.normal(0, 1, v.shape).astype(np.float32)
                v = v + np.float32(np.sqrt(1 / ALIKE - 1)) * noise / np.linalg.norm(noise)
            found.append(Reference(f"{who}/{k}", who, model_id, quantize(v, scale), 1.0, at))
    return found


@dataclass(frozen=True)
class Counted:
    """What was found of what was planted; and false findings, as the labels say and as the teachers judge them."""

    twice: int
    mixed: int
    false_twice: int
    false_mixed: int
    by_teachers: int  # false of both kinds, that the teachers do not confirm

    def __str__(self) -> str:
        return (
            f"twice {self.twice} of {PLANTED}, mixed {self.mixed} of {PLANTED}; said to be twice and have two labels "
            f"{self.false_twice}, said to be two people and have one label {self.false_mixed}; false by the teachers "
            f"{self.by_teachers}"
        )


def counted(found: Findings, gallery: Gallery, seen: Seen) -> tuple[Counted, list[Mixture]]:
    """The figures, and the false mixtures, to be looked at."""
    said = [frozenset(d.subjects) for d in found.duplicates]
    twice = sum(any(pair <= subjects for subjects in said) for pair in gallery.twice)
    wrong = [subjects for subjects in said if not any(pair <= subjects for pair in gallery.twice)]
    mixed = {m.subject_id for m in found.mixtures}
    doubtful = [m for m in found.mixtures if m.subject_id not in gallery.mixed]
    unsure = sum(not confirmed_twice(subjects, gallery, seen) for subjects in wrong)
    unsure += sum(not confirmed_mixed(m, gallery, seen) for m in doubtful)
    return Counted(twice, len(mixed & gallery.mixed), len(wrong), len(doubtful), unsure), doubtful


def confirmed_twice(subjects: frozenset[str], gallery: Gallery, seen: Seen) -> bool:
    """Whether the teachers take a picture of each for one person's, of two of them."""
    return any(
        bool(one_person(*seen.cosines(gallery.subjects[a], gallery.subjects[b])).any())
        for a, b in combinations(sorted(subjects), 2)
    )


def confirmed_mixed(mixture: Mixture, gallery: Gallery, seen: Seen) -> bool:
    """Whether both teachers see little likeness between two of the groups."""
    of = gallery.subjects[mixture.subject_id]
    groups = [[of[int(r.rsplit("/", 1)[1])] for r in group] for group in mixture.groups]
    return any(all(c.mean() < APART for c in seen.cosines(a, b)) for a, b in combinations(groups, 2))


def single(faces: Sequence[Face], rng: np.random.Generator) -> list[int]:
    """Pictures of people without a name, drawn once: twice as many as a gallery takes."""
    of = [f.index for f in faces if not f.identity and f.source in ("aaf", "utkface", "frames")]
    return [of[k] for k in rng.permutation(len(of))[: 2 * PEOPLE]]


def strangers(of: Sequence[int], known: Sequence[int], seen: Seen) -> list[int]:
    """Of these pictures those of whom the teachers know no other one before it, and none of the `known`."""
    again = np.triu(one_person(*seen.cosines(of, of)), 1).any(0) | one_person(*seen.cosines(known, of)).any(0)
    return [i for i, more in zip(of, again, strict=True) if not more]


def looked_at(x: NDArray[np.uint8], of: Sequence[int], name: str, shared: Path, work: Path, threads: int) -> Seen:
    embedder = load(ModelsConfig(embedder=name, threads=threads), PolicyConfig()).embedder.bare
    crops = x[of][:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    own = {}
    for i, face in zip(tqdm(of, "faces", mininterval=10), crops, strict=True):
        v = embedder.vector(face)
        own[i] = v / np.linalg.norm(v)
    teachers = Teachers.read(shared, work, threads)
    y1, w600k = embed(teachers.y1, crops, raw=True), embed(teachers.w600k, crops, scale=127.5)
    return Seen(own, (dict(zip(of, y1, strict=True)), dict(zip(of, w600k, strict=True))))


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("name", help="of the embedder, in the manifest")
    a.add_argument("--draws", type=int, default=3)
    a.add_argument("--shared", help="the data folder")
    a.add_argument("--work", type=Path, default=Path("work-free"), help="where the pictures are")
    a.add_argument("--threads", type=int, default=1)
    o = a.parse_args()
    shared, rng = shared_folder(o.shared), np.random.default_rng(0)
    faces = read_faces(shared)
    people, unnamed = named(faces), single(faces, rng)
    known = [i for of in people.values() for i in of]
    of = sorted({*known, *unnamed})
    seen = looked_at(pictures(shared, o.work, faces), of, o.name, shared, o.work, o.threads)
    alone = strangers(unnamed, known, seen)
    models = load(ModelsConfig(embedder=o.name), PolicyConfig())
    entry = models.embedder_entry
    sizes = {PICTURES: PEOPLE}
    limits = Limits.of(entry.operating_points(), PEOPLE, models.thresholds.for_gallery(sizes).score)
    print(f"{len(people)} people with names, {len(alone)} pictures of others; {limits}")
    for _ in range(o.draws):
        gallery = planted(people, alone, rng)
        made = references(gallery, seen, entry.model_id, entry.template_scale, rng)
        print(counted(check(made, models.cohort, limits), gallery, seen)[0], flush=True)


if __name__ == "__main__":
    main()
