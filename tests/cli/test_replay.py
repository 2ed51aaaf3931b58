"""`kiosk replay`: the pipeline over a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]
FIXED_NAMES = {"event", "outcome", "reason", "subject", "score"}


def test_replay_grants_the_enrolled_and_begins_again_after_each_decision(kiosk: Command, ada: str, clip: Path) -> None:
    result = kiosk("replay", "--json", "--until", "3", clip)
    assert result.status == 0
    *decisions, summary = result.rows
    assert all(set(d) >= FIXED_NAMES and d["event"] == "decision" for d in decisions)
    granted = [d for d in decisions if d["outcome"] == "granted"]
    assert len(granted) > 3
    assert {d["subject"] for d in granted} == {ada}
    assert all(d["seconds"] <= 1 for d in granted)
    assert (summary["event"], summary["frames"], summary["granted"]) == ("summary", 45, len(granted))


def test_replay_is_deterministic(kiosk: Command, ada: str, clip: Path) -> None:
    def decisions() -> list[tuple[Any, ...]]:
        rows = kiosk("replay", "--json", "--until", "3", clip).rows[:-1]
        return [(d["frame"], d["outcome"], d["reason"], d["score"], d["pad"], d["quality"]) for d in rows]

    first = decisions()
    assert len(first) > 1
    assert decisions() == first


def test_replay_refuses_everybody_with_an_empty_gallery(kiosk: Command, clip: Path) -> None:
    *decisions, summary = kiosk("replay", "--json", "--until", "3", clip).rows
    assert decisions
    assert summary["granted"] == 0
    assert "not_enrolled" in {d["reason"] for d in decisions}


def test_a_disabled_subject_is_refused_and_an_enabled_one_is_not(kiosk: Command, ada: str, clip: Path) -> None:
    assert kiosk("subjects", "disable", ada).status == 0
    *decisions, _ = kiosk("replay", "--json", "--until", "2.5", clip).rows
    assert {d["reason"] for d in decisions if d["subject"]} == {"subject_disabled"}
    assert kiosk("subjects", "enable", "Ada Example").status == 0
    assert kiosk("replay", "--json", "--until", "2.5", clip).rows[-1]["granted"] > 0


def test_enrolment_stores_the_validity(kiosk: Command, portraits: dict[str, Path], clip: Path) -> None:
    assert kiosk("enrol", "--name", "Ada", "--valid-until", "2020-01-01", portraits["ada"]).status == 0
    *decisions, _ = kiosk("replay", "--json", "--until", "2.5", clip).rows
    assert {d["reason"] for d in decisions if d["subject"]} == {"validity_ended"}
