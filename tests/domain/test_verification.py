"""The claim that is open: until when, and for one attempt only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.entry import Means
from kiosk.domain.verification import ClaimOver, Claims, Expected


def expected(claim_id: str = "c1", looks: float = 8.0, until: float = 30.0) -> Expected:
    return Expected(claim_id, Means.NUMBER, "ada", looks, until)


def test_without_a_claim_faces_alone_count() -> None:
    assert Claims().now(1.0) is None
    assert Claims().looks(1.0)


def test_a_claim_is_looked_at_once_and_no_other_face_until_its_end() -> None:
    claims = Claims()
    claims.take(expected())
    assert claims.looks(7.9)
    claims.looked()
    assert not claims.looks(7.9)
    assert claims.now(29.9) == expected()
    assert claims.now(30.0) is None
    assert claims.looks(30.0)


def test_after_some_seconds_it_is_no_longer_looked_at() -> None:
    claims = Claims()
    claims.take(expected())
    assert not claims.looks(8.0)
    assert claims.now(8.0) is not None


def test_the_end_of_an_earlier_claim_ends_no_later_one() -> None:
    claims = Claims()
    claims.take(expected("c1"))
    claims.take(expected("c2"))
    claims.take(ClaimOver("c1"))
    assert claims.now(1.0) == expected("c2")
    claims.take(ClaimOver("c2"))
    assert claims.now(1.0) is None


@given(st.lists(st.tuples(st.sampled_from(["claim", "over", "looked"]), st.sampled_from("abc"), st.floats(0, 40))))
def test_no_claim_has_two_looks_however_often_it_is_made(story: list[tuple[str, str, float]]) -> None:
    claims, had = Claims(), set[str]()
    for number, (what, name, at) in enumerate(story):
        if what == "claim":
            claims.take(expected(f"{name}{number}"))
        elif what == "over":
            claims.take(ClaimOver(name))
        elif (claim := claims.now(at)) is not None and claims.looks(at):
            assert claim.claim_id not in had  # each is made once: it has the number of its place
            had.add(claim.claim_id)
            claims.looked()
            assert not claims.looks(at)
