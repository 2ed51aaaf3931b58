"""`kiosk subjects export`: all that is kept about a person, and nothing of anybody else."""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.domain.rights import Role
from kiosk.storage import pins
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command
from tests.storage.conftest import MODEL, NOON, a_reference


@pytest.fixture
def ada(home: Path) -> str:
    with closing(open_gallery(Home(home))) as gallery:
        made = gallery.add_subject("Ada <b>", [a_reference(1), a_reference(2, "other")], NOON, badge=31337)
        gallery.add_subject("Ben", [a_reference(3)])
        gallery.set_disabled(made.id, True)
        pins.set_pin(gallery, made.id, "271828")
        pins.set_role(gallery, made.id, Role.AUDITOR)
    return made.id


def test_all_is_in_it_but_the_templates(kiosk: Command, ada: str) -> None:
    (row,) = kiosk("subjects", "export", ada).rows
    assert (row["name"], row["badge"], row["disabled"], row["consent"]) == ("Ada <b>", 31337, True, None)
    assert row["valid_until"] is None
    assert (row["role"], row["pin"]) == ("auditor", True)
    references = row["references"]
    assert isinstance(references, list)
    assert [(r["network"], r["bytes"]) for r in references] == [(MODEL, 128), ("other", 128)]
    assert all("template" not in r for r in references)
    records = row["records"]
    assert isinstance(records, list)
    assert [r["outcome"] for r in records] == ["enrolled", "disabled", "pin_set", "role_set"]
    assert {r["subject"] for r in records} == {ada}


def test_the_templates_are_in_it_when_they_are_asked_for_as_they_are_kept(kiosk: Command, ada: str, home: Path) -> None:
    (row,) = kiosk("subjects", "export", ada, "--templates").rows
    references = row["references"]
    assert isinstance(references, list)
    with closing(open_gallery(Home(home))) as gallery:
        (kept,) = [r.template.tobytes() for r in gallery.references(MODEL) if r.subject_id == ada]
    assert base64.b64decode(references[0]["template"]) == kept, "turned by the gallery's matrix, which is not shown"


def test_the_page_holds_the_same_and_no_foreign_markup(kiosk: Command, ada: str, tmp_path: Path) -> None:
    page = tmp_path / "ada.html"
    assert kiosk("subjects", "export", ada, "--html", page).out == [f"written: {page}"]
    text = page.read_text()
    assert "Ada &lt;b&gt;" in text
    assert "<b>" not in text
    for word in (ada, "31337", "none recorded", "auditor", "one is kept", MODEL, "disabled", "no limit"):
        assert word in text
    assert "Ben" not in text
    assert page.stat().st_mode & 0o077 == 0
    said = kiosk("subjects", "export", ada, "--html", tmp_path / "none" / "x")
    assert (said.status, "cannot be written" in said.err[0]) == (2, True)
