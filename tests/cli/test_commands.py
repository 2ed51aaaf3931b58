"""What several commands do together, as they are meant to be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_the_audit_log_tells_of_enrolments_without_names(kiosk: Command, ada: str) -> None:
    kiosk("subjects", "disable", ada)
    result = kiosk("audit", "show", "--json")
    assert [(r["kind"], r["subject"]) for r in result.rows] == [("enrolment", ada), ("subject", ada)]
    assert "Ada" not in "".join(result.out)
    assert len(kiosk("audit", "show").out) == 2
    assert kiosk("audit", "show", "--json", "--kind", "decision").rows == []


def test_doctor_checks_models_and_gallery(kiosk: Command, ada: str) -> None:
    result = kiosk("doctor", "--json")
    checks = {row["name"]: row["state"] for row in result.checks}
    assert checks["models"] == checks["gallery"] == "ok"
    assert result.status == (1 if "problem" in checks.values() else 0)


def test_doctor_finds_what_is_wrong(kiosk: Command, ada: str, home: Path, tmp_path: Path) -> None:
    (home / "gallery.key").write_bytes(b"short")
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[camera]\nkind = "usb"\ndevice = "/dev/not-there"\n[door]\nsocket = "{tmp_path}/door.sock"\n')
    result = kiosk("doctor", "--json", "--config", config)
    levels = {row["name"]: row["state"] for row in result.checks}
    assert result.status == 1
    assert [levels[c] for c in ("models", "gallery", "camera", "door")] == ["ok", "problem", "problem", "problem"]


@pytest.mark.parametrize(
    ("fixed", "level", "said"),
    [(None, "ok", "for 1 references, expected FPIR 0.001"), ("0.1", "problem", "is below"), ("0.99", "ok", "0.9900")],
)
def test_doctor_tells_the_threshold(
    kiosk: Command, ada: str, monkeypatch: pytest.MonkeyPatch, fixed: str | None, level: str, said: str
) -> None:
    if fixed:
        monkeypatch.setenv("KIOSK_POLICY__THRESHOLD", fixed)
    (row,) = [row for row in kiosk("doctor", "--json").checks if row["name"] == "threshold"]
    assert row["state"] == level
    assert said in row["what"]
    if level == "problem":
        assert kiosk("doctor").status == 1
