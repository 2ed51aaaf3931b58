"""`kiosk subjects number|qr|card|pin --duress|verify|extended`."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest

from kiosk.domain.entry import Claim, Means
from kiosk.storage.claims import Claims
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.pins import Pins, Verdict
from kiosk.vision import codes
from tests.cli.conftest import Command
from tests.storage.conftest import a_reference


@pytest.fixture
def ada(home: Path) -> str:
    with closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject("Ben", [a_reference(2)], number="4711")
        return gallery.add_subject("Ada", [a_reference(1)]).id


def meant(home: Path, means: Means, text: str) -> str | None:
    """Whom the kiosk takes this for."""
    with closing(open_gallery(Home(home))) as gallery:
        return Claims(gallery).find(Claim(means, text))


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_a_number_is_set_chosen_listed_and_cleared(kiosk: Command, ada: str, home: Path) -> None:
    assert kiosk("subjects", "number", ada, "0815").out == [f"{ada}  (number 0815)"]
    assert meant(home, Means.NUMBER, "0815") == ada
    (row,) = kiosk("subjects", "number", "Ada", "--new", "--json").rows
    assert len(str(row["number"])) == 6
    assert meant(home, Means.NUMBER, str(row["number"])) == ada
    listed = kiosk("subjects", "list", "--json").rows
    assert [r["number"] for r in listed] == ["4711", row["number"]]
    assert kiosk("subjects", "number", ada, "--clear").out == [ada]
    said = kiosk("subjects", "number", ada, "4711")
    assert (said.status, "clear it there first" in said.err[0]) == (2, True)
    for wrong in ([], ["--new", "--clear"], ["1234", "--new"], ["12"], ["12345678901"]):
        said = kiosk("subjects", "number", ada, *wrong)
        assert (said.status, len(said.err), said.out) == (2, 1, [])


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_qr_code_is_written_for_its_owner_alone_and_a_new_one_makes_it_void(
    kiosk: Command, ada: str, home: Path, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / f"ada.{kind}"
    done = kiosk("subjects", "qr", "Ada", "--out", file)
    assert (done.status, str(file) in done.out[-1]) == (0, True)
    assert file.stat().st_mode & 0o077 == 0
    if kind == "svg":
        assert file.read_text().startswith("<?xml")
        return
    picture = cv2.imread(str(file))
    assert picture is not None
    (text,) = codes.read(picture)  # type: ignore[arg-type]
    assert meant(home, Means.QR, text) == ada
    assert text not in "".join(done.out)
    kiosk("subjects", "qr", "Ada", "--out", file)
    assert meant(home, Means.QR, text) is None
    assert kiosk("subjects", "qr", "Ada", "--clear").status == 0
    assert [r["outcome"] for r in kiosk("audit", "show", "--json").rows][-3:] == ["qr_set", "qr_set", "qr_cleared"]


def test_a_code_that_could_be_shown_nowhere_is_not_made(kiosk: Command, ada: str, tmp_path: Path) -> None:
    for wrong in (
        [],
        ["--show"],
        ["--out", tmp_path / "none" / "a.png"],
        ["--out", tmp_path / "a.gif"],
        ["--out", tmp_path / "a.png", "--show"],
        ["--clear", "--show"],
    ):
        said = kiosk("subjects", "qr", ada, *wrong)
        assert (said.status, len(said.err)) == (2, 1)
    assert "qr_set" not in [r["outcome"] for r in kiosk("audit", "show", "--json").rows]


def test_a_code_that_cannot_be_written_says_that_the_old_one_is_void(
    kiosk: Command, ada: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kiosk.cli.codes.replace", full)
    said = kiosk("subjects", "qr", ada, "--out", tmp_path / "a.png")
    assert (said.status, len(said.err)) == (2, 1)
    assert "the code of before is void too" in said.err[0]


def test_a_card_is_learned_from_what_the_reader_types(
    kiosk: Command, ada: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "0004815162342")
    done = kiosk("subjects", "card", "Ada")
    assert done.status == 0
    assert "0004815162342" not in "".join(done.out + done.err)
    assert meant(home, Means.CARD, "0004815162342") == ada
    type_in(monkeypatch, "0004815162342")
    said = kiosk("subjects", "card", "Ben")
    assert (said.status, f"this card is that of {ada}" in said.err[0]) == (2, True)
    assert kiosk("subjects", "card", "Ada", "--clear").status == 0
    assert meant(home, Means.CARD, "0004815162342") is None
    for typed in ("", "123", "9" * 100_000):
        type_in(monkeypatch, typed)
        said = kiosk("subjects", "card", "Ada")
        assert (said.status, len(said.err)) == (2, 1)


def test_two_pins_are_typed_for_a_duress_pin(
    kiosk: Command, ada: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "271828", "161803")
    done = kiosk("subjects", "pin", "Ada", "--duress")
    assert (done.status, "161803" in "".join(done.out)) == (0, False)
    with closing(open_gallery(Home(home))) as gallery:
        checked = Pins(gallery).check("7", ada, "161803")
    assert (checked.verdict, checked.duress) == (Verdict.RIGHT, True)
    (told,) = kiosk("subjects", "export", "Ada").rows
    assert (told["pin"], told["duress_pin"], told["qr"]) == (True, True, False)
    assert "duress" not in "".join(kiosk("audit", "show", "--json").out + kiosk("subjects", "list").out)
    type_in(monkeypatch, "271828", "271829")
    said = kiosk("subjects", "pin", "Ada", "--duress")
    assert (said.status, "too near the PIN" in said.err[0]) == (2, True)
    assert kiosk("subjects", "pin", "Ada", "--duress", "--clear").status == 2
    type_in(monkeypatch, "271828")
    assert kiosk("subjects", "pin", "Ada").status == 0
    with closing(open_gallery(Home(home))) as gallery:
        assert Pins(gallery).check("7", ada, "161803").verdict is Verdict.WRONG


def test_what_a_person_needs_is_said_and_shown(kiosk: Command, ada: str) -> None:
    done = kiosk("subjects", "verify", "Ada", "--on")
    assert done.out == [f"{ada}  (not by face alone)"]
    assert "cannot come in" in done.err[0]
    assert kiosk("subjects", "verify", "Ben", "--on").err == [], "he has a number"
    assert kiosk("subjects", "extended", "Ada", "--on").out == [f"{ada}  (not by face alone, extended release)"]
    assert kiosk("subjects", "verify", "Ada", "--off").out == [f"{ada}  (extended release)"]
    said = kiosk("subjects", "extended", "Ada")
    assert (said.status, len(said.err)) == (2, 1)


def test_what_is_kept_is_told_to_the_person(kiosk: Command, ada: str, tmp_path: Path) -> None:
    kiosk("subjects", "number", "Ada", "0815")
    kiosk("subjects", "qr", "Ada", "--out", tmp_path / "a.png")
    until = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).strftime("%Y-%m-%d")
    assert kiosk("passes", "issue", "Ada", "--until", until, "--out", tmp_path / "p.png").status in (0, 2)
    page = tmp_path / "ada.html"
    kiosk("subjects", "export", ada, "--html", page)
    text = page.read_text()
    for words in ("0815", "QR code", "Personal number", "Visitor passes: "):
        assert words in text
