"""How `run` and `replay` print a decision."""

from __future__ import annotations

from kiosk.cli.console import Row
from kiosk.domain.decision import Decision
from kiosk.domain.door.grants import DoorReply


def decision_row(decision: Decision) -> dict[str, str | float | int | None]:
    """A decision as a JSON object. The fixed keys, which other programs rely on, come first."""
    e = decision.evidence
    c = e.comparison
    return {
        "event": "decision",
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "subject": decision.subject_id,
        "score": round(c.score, 4) if c else None,
        "threshold": round(c.threshold, 4) if c else None,
        "pad": round(e.pad, 4) if e.pad is not None else None,
        "quality": e.quality.score if e.quality else None,
        "flaw": e.quality.flaw.value if e.quality and e.quality.flaw else None,
        "hint": e.hint.value if e.hint else None,
        "frame": e.frame_number,
        "frames": e.frames,
        "model_id": c.model_id if c else None,
        "grant_id": decision.id,
        "comparison": decision.proof.value,
        "means": decision.means.value if decision.means else None,
        "seconds": round(e.captured_at - decision.started_at, 3) if decision.started_at is not None else None,
    }


def door_row(reply: DoorReply) -> Row:
    """The door's answer to a grant as a JSON object."""
    return {"event": "door", "grant_id": reply.grant_id, "result": reply.result.value, "reason": reply.reason or None}


def decision_line(decision: Decision, name: str | None) -> str:
    """A decision as a line of text."""
    e = decision.evidence
    c = e.comparison
    figures = [
        f"score {c.score:.3f} of {c.threshold:.3f}" if c else "",
        f"pad {e.pad:.2f}" if e.pad is not None else "",
        *(said.value.replace("_", " ") for said in (e.quality and e.quality.flaw, e.hint) if said),
        f"{decision.proof.value} by {decision.means.value}" if decision.means else "",
        decision.detail,
    ]
    words = decision.reason.value.replace("_", " ")
    return f"{decision.outcome.value:<8} {words:<22} {name or decision.subject_id or '-':<18} " + ", ".join(
        f for f in figures if f
    )
