"""Phase 3, FaceNet's training (arXiv 1503.03832, section 3): triplets of the identities that have labels.

Squared distances of unit vectors; every pair of one person in the batch is an anchor and a positive; the negative is
the nearest face of another person among those farther away than the positive (semi-hard), if it is within the margin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.train.common.faces import Face

MARGIN = 0.2
PICTURES = 4  # of each person in a batch


def labelled(faces: Sequence[Face]) -> list[NDArray[np.int64]]:
    """The pictures of each person who has at least PICTURES of them; `faces`: the training's, none of the held out."""
    people: dict[tuple[str, str], list[int]] = defaultdict(list)
    for f in faces:
        if f.identity:
            people[f.source, f.identity].append(f.index)
    return [np.array(v) for _, v in sorted(people.items()) if len(v) >= PICTURES]


def draw(
    people: Sequence[NDArray[np.int64]], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """PICTURES pictures of each of `count` people -> indices of pictures, and of the people."""
    chosen = rng.choice(len(people), count, replace=False)
    ids = np.concatenate([rng.choice(people[p], PICTURES, replace=False) for p in chosen])
    return ids, np.repeat(chosen, PICTURES)


def triplet_loss(e: torch.Tensor, people: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """n unit vectors and who they are -> the mean loss of the semi-hard triplets (0 if there is none), their share.

    The share is of the batch's pairs of one person.
    """
    d = 2 - 2 * e @ e.T
    same = people[:, None] == people[None, :]
    a, p = torch.nonzero(same & ~torch.eye(len(e), dtype=torch.bool, device=e.device), as_tuple=True)
    positive = d[a, p]
    farther = ~same[a] & (d[a] > positive[:, None])
    negative = d[a].masked_fill(~farther, torch.inf).amin(1)
    inside = negative < positive + MARGIN
    losses = (positive - negative + MARGIN)[inside]
    return losses.sum() / max(1, len(losses)), inside.float().mean()
