"""The texts that people agree to: those of the package in two languages, or a site's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.domain.errors import ConsentError
from kiosk.keeping import ConsentConfig
from kiosk.station import consent
from kiosk.station.consent import TextName
from tests.storage.conftest import NOON

SHIPPED = ConsentConfig()


def test_the_package_has_each_text_in_both_languages() -> None:
    there = consent.names(SHIPPED)
    assert {name.language for name in there} == {"en", "de"}
    assert len(there) == 2 * len({name.version for name in there})
    for name in there:
        assert len(consent.text(SHIPPED, name)) > 1000


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["What is kept", "Why.", "How long.", "another way in", "You can withdraw", "certificate"]),
        ("de", ["Was gespeichert wird", "Warum.", "Wie lange.", "anderen Weg hinein", "widerrufen", "Bescheinigung"]),
    ],
)
def test_a_text_says_what_why_how_long_and_how_to_withdraw(language: str, words: list[str]) -> None:
    text = " ".join(consent.text(SHIPPED, TextName("1", language)).split())
    assert [word for word in words if word not in text] == []


def test_without_a_language_it_is_the_configured_one_and_without_a_version_the_newest(tmp_path: Path) -> None:
    for name in ("2.en", "10.en", "10.de", "9.de"):
        (tmp_path / f"{name}.txt").write_text(name)
    (tmp_path / "notes.md").touch()
    own = ConsentConfig(folder=tmp_path, language="de")
    assert str(consent.find(own, None)) == "10/de"
    assert str(consent.find(own, "9")) == "9/de"
    assert str(consent.find(own, "2/en")) == "2/en"
    assert consent.text(own, consent.find(own, "2/en")) == "2.en"
    with pytest.raises(ConsentError, match="no such text of consent; there are: 10/de, 10/en, 2/en, 9/de"):
        consent.find(own, "2")


def test_what_cannot_be_read_is_not_agreed_to(tmp_path: Path) -> None:
    own = ConsentConfig(folder=tmp_path)
    with pytest.raises(ConsentError, match="there is no text of consent"):
        consent.names(own)
    (tmp_path / "1.en.txt").write_bytes(b"\xff")
    with pytest.raises(ConsentError, match="no text in UTF-8"):
        consent.agreed(own, TextName("1", "en"), NOON, "ada")
    with pytest.raises(ConsentError, match="cannot be read"):
        consent.agreed(own, TextName("2", "en"), NOON, "ada")
    with pytest.raises(ConsentError, match="cannot be read"):
        consent.names(ConsentConfig(folder=tmp_path / "none"))


def test_what_is_recorded_says_to_what_when_before_whom_and_what_else_was_offered() -> None:
    config = ConsentConfig(alternative="a badge")
    found = consent.agreed(config, TextName("1", "de"), NOON, "ada (uid 7)")
    assert found.sentence("noon") == "agreed to the text 1 (de) on noon, before ada (uid 7); offered instead: a badge"
