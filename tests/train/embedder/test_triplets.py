"""FaceNet's stage: which triplets count, and who is in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra train")

import numpy as np  # noqa: E402

from models.train.common.faces import Face  # noqa: E402
from models.train.embedder.triplets import MARGIN, PICTURES, draw, labelled, triplet_loss  # noqa: E402

pytestmark = pytest.mark.train


def by_hand(e: torch.Tensor, people: list[int]) -> tuple[float, float]:
    losses, pairs = [], 0
    distance = torch.cdist(e, e).pow(2)
    for a, one in enumerate(people):
        for p, same in enumerate(people):
            if a == p or one != same:
                continue
            pairs += 1
            farther = [float(distance[a, n]) for n, other in enumerate(people) if other != one]
            farther = [d for d in farther if d > float(distance[a, p])]
            if farther and min(farther) < float(distance[a, p]) + MARGIN:
                losses.append(float(distance[a, p]) - min(farther) + MARGIN)
    return sum(losses) / max(1, len(losses)), len(losses) / pairs


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), people=st.integers(1, 4), spread=st.floats(0.05, 1.0))
def test_loss_is_that_of_the_semi_hard_triplets(seed: int, people: int, spread: float) -> None:
    torch.manual_seed(seed)
    who = [p for p in range(people) for _ in range(3)]
    centres = torch.randn(people, 4, dtype=torch.float64)
    e = torch.nn.functional.normalize(centres[who] + spread * torch.randn(len(who), 4, dtype=torch.float64))
    loss, share = triplet_loss(e, torch.tensor(who))
    wanted_loss, wanted_share = by_hand(e, who)
    assert float(loss) == pytest.approx(wanted_loss, abs=1e-6)
    assert float(share) == pytest.approx(wanted_share, abs=1e-6)


def test_a_step_against_the_gradient_parts_the_people() -> None:
    torch.manual_seed(2)
    who = torch.arange(4).repeat_interleave(PICTURES)
    v = torch.randn(16, 8, requires_grad=True)
    before, share = triplet_loss(torch.nn.functional.normalize(v), who)
    assert share > 0
    before.backward()
    after, _ = triplet_loss(torch.nn.functional.normalize(v - 0.05 * v.grad), who)
    assert after < before


def test_people_far_apart_cost_nothing() -> None:
    e = torch.eye(4)[torch.arange(4).repeat_interleave(PICTURES)].requires_grad_()
    loss, share = triplet_loss(e, torch.arange(4).repeat_interleave(PICTURES))
    loss.backward()
    assert (loss.item(), share.item(), e.grad.abs().sum().item()) == (0, 0, 0)


def test_people_are_those_with_a_name_and_enough_pictures() -> None:
    names = ["a"] * PICTURES + ["b"] * (PICTURES - 1) + [""] * 9 + ["c"] * (PICTURES + 2)
    people = labelled([Face(i, "", f"{i}.webp", "s", n) for i, n in enumerate(names)])
    assert [[names[i] for i in p] for p in people] == [["a"] * PICTURES, ["c"] * (PICTURES + 2)]


def test_the_same_name_in_two_sources_is_two_people() -> None:
    faces = [Face(i, "", f"{i}.webp", f"s{i % 2}", "a") for i in range(2 * PICTURES)]
    assert [p.tolist() for p in labelled(faces)] == [[0, 2, 4, 6], [1, 3, 5, 7]]


@given(seed=st.integers(0, 2**31))
def test_a_batch_holds_different_pictures_of_each_person(seed: int) -> None:
    people = [np.arange(k, k + 6) for k in range(0, 60, 6)]
    ids, who = draw(people, 5, np.random.default_rng(seed))
    assert len(set(ids.tolist())) == 5 * PICTURES
    assert len(set(who.tolist())) == 5
    assert (ids // 6 == who).all()
