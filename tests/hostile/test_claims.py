"""What strangers type, show and hold up: numbers, cards, PINs, QR codes, visitor passes, pictures of them. Whatever it
is, there is no fault, and nobody is let in by it."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.domain.entry import LONGEST_CLAIM, Claim, Means
from kiosk.domain.errors import GalleryError, PassError
from kiosk.domain.face import Image
from kiosk.domain.passes import MARK, PURPOSE, SIGNATURE_BYTES, PassWord, read
from kiosk.storage import passes as passes_module
from kiosk.storage import pins
from kiosk.storage.claims import Claims, card_text, digest, new_code, set_number
from kiosk.storage.gallery import Gallery, empty_gallery
from kiosk.storage.passes import Passes
from kiosk.storage.pins import Pins, Verdict, check_both, made_both
from kiosk.vision import codes
from tests.hostile.attack import ODD, attack, bent, extent, odd
from tests.storage.conftest import a_reference

NUMBER, CODE, CARD, PIN, DURESS = "4711", "KQ1" + "A7" * 16, "0004815162342", "271828", "161803"
KNOWN = {Means.NUMBER: NUMBER, Means.QR: CODE, Means.CARD: CARD}
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = 3600.0


class Site:
    """A gallery in memory with one person who has all ways in, and a pass that is good. Each look is an hour after the
    one before, so that nobody has to wait."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery, self.at = gallery, HOUR
        held = replace(made_both(PIN, DURESS), qr=digest(CODE), card=digest(CARD))
        self.ada = gallery.add_subject("Ada", [a_reference(1)], number=NUMBER, secrets=held).id
        self.claims = Claims(gallery)
        self.pins = Pins(gallery, self.later, lambda: "boot", lambda: NOON)
        self.passes = Passes(gallery, self.later, lambda: NOON)
        self.told, self.text = self.passes.issue(self.ada, NOON, NOON + timedelta(hours=9), ["main"], 100)

    def later(self) -> float:
        self.at += HOUR
        return self.at


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(pins, "MEMORY_KIB", 8)
    monkeypatch.setattr(pins, "PASSES", 1)
    pins._nobodys.cache_clear()
    with closing(empty_gallery()) as gallery:
        yield Site(gallery)
    pins._nobodys.cache_clear()


SAMPLES = [NUMBER, CODE, CARD, PIN, DURESS, new_code(), "0815", "KQ1", MARK]
TEXTS = [text for text in ODD if isinstance(text, str)]
DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "0123456789\0 -+.e"]


def typed(chance: random.Random) -> str:
    """What a keypad, a reader or a camera could give, and what none would."""
    match chance.randrange(8):
        case 0:
            return chance.choice(TEXTS)
        case 1:
            return str(odd(chance, 1))[:5000]
        case 2 | 3:
            return bent(chance, chance.choice(SAMPLES).encode(), 2).decode("utf-8", "surrogateescape")
        case 4 | 5:
            return "".join(chance.choices(chance.choice(DIGITS), k=chance.randrange(14)))
        case 6:
            return chance.choice(SAMPLES) * chance.choice([1, 1, 2, 40])
        case _:
            return chance.choice(SAMPLES) + chance.choice(["", "\n", "\r\n", " ", "\0", "\x1b[2J", "\ud800"])


@extent
def test_claims_and_pins(site: Site, extent: float, tmp_path: Path) -> None:
    def make(chance: random.Random) -> tuple[Means, str, str]:
        return chance.choice(list(Means)), typed(chance), typed(chance)

    def body(given: tuple[Means, str, str]) -> None:
        means, text, pin = given
        found = None
        if 0 < len(text) <= LONGEST_CLAIM:
            found = site.claims.find(Claim(means, text))
        else:
            with pytest.raises(ValueError, match="a claim has"):
                Claim(means, text)
        assert found == (site.ada if text == KNOWN[means] else None)
        checked = site.pins.check(text, found, pin)
        right = found is not None and pin in (PIN, DURESS)
        assert checked.verdict is (Verdict.RIGHT if right else Verdict.WRONG)
        assert checked.duress == (right and pin == DURESS)

    attack(60_000, extent, make, body, tmp_path)


@extent
def test_what_an_admin_may_be_given(site: Site, extent: float, tmp_path: Path) -> None:
    """Numbers, cards and PINs that somebody is to have."""
    before = site.gallery.record(site.ada)

    def body(given: tuple[str, str]) -> None:
        text, other = given
        with suppress(GalleryError):
            assert card_text(text) == text.rstrip("\r\n")
        with suppress(GalleryError):
            check_both(text, other)
            assert text != other
            assert text.isdigit()
            assert text.isascii()
        if text.isascii() and text.isdigit() and 4 <= len(text) <= 8:
            return
        with pytest.raises(GalleryError):
            set_number(site.gallery, site.ada, text)

    attack(20_000, extent, lambda chance: (typed(chance), typed(chance)), body, tmp_path)
    assert site.gallery.record(site.ada) == before


@extent
def test_passes(site: Site, extent: float, tmp_path: Path) -> None:
    stranger, own = Ed25519PrivateKey.generate(), passes_module._signing_key(site.gallery.store, site.gallery.vault)
    assert own is not None
    _, signature = read(site.text)
    others = [
        replace(site.told, id=f"{7:016x}"),
        replace(site.told, uses=99),
        replace(site.told, doors=("main", "back")),
        replace(site.told, ends=site.told.ends + timedelta(days=300)),
        replace(site.told, sponsor="f" * 32),
    ]
    texts = [site.text, *(told.text(key.sign(told.signed_bytes())) for told in others for key in (stranger, own))]

    def coded(data: bytes) -> str:
        return MARK + base64.b32encode(data).decode().rstrip("=")

    def make(chance: random.Random) -> str:
        text = chance.choice(texts)
        data = base64.b32decode(text[len(MARK) :] + "=" * (-len(text[len(MARK) :]) % 8))
        match chance.randrange(8):
            case 0:
                return typed(chance)
            case 1:
                return coded(chance.randbytes(chance.randrange(130)))
            case 2 | 3:
                return bent(chance, text.encode(), 2).decode("latin-1")
            case 4 | 5:
                return coded(bent(chance, data, 2))
            case 6:  # whatever it says, it is signed
                body = bent(chance, data[:-SIGNATURE_BYTES], 2)
                return coded(body + own.sign(PURPOSE + body))
            case _:
                return coded(data[:-SIGNATURE_BYTES] + signature) + chance.choice(["", "=", "\n", "A", "AA"])

    def body(text: str) -> None:
        with suppress(PassError):
            told, signed = read(text)
            assert told.text(signed) == text
        door = "main" if text == site.text else "back" if len(text) % 2 else "main"
        verdict = site.passes.use(text, door, NOON)
        assert not verdict.good or text == site.text
        if text == site.text:
            assert verdict.word in {PassWord.GOOD, PassWord.USED_UP}

    attack(100_000, extent, make, body, tmp_path)
    assert [issued.told for issued in site.passes.issued()] == [site.told]


@extent
def test_pictures_of_codes(site: Site, extent: float, tmp_path: Path) -> None:
    texts = [
        CODE,
        site.text,
        NUMBER,
        "KP1AAAA",
        "\0\x1b[2J",
        "x" * 600,
        "é" * 200,
        "'; DROP TABLE pass; --",
        new_code(),
    ]
    known = []
    for text in texts:
        out = io.BytesIO()
        segno.make(text, error="m", micro=False).save(out, kind="png", scale=3, border=4)
        known.append(np.asarray(cv2.imdecode(np.frombuffer(out.getvalue(), np.uint8), cv2.IMREAD_COLOR), np.uint8))

    def make(chance: random.Random) -> Image:
        numbers = np.random.default_rng(chance.randrange(2**32))
        picture = chance.choice(known).copy()
        high, wide = picture.shape[:2]
        for _ in range(chance.randrange(4)):
            top, left = chance.randrange(high), chance.randrange(wide)
            size = chance.choice([1, 3, 9, 40])
            patch = picture[top : top + size, left : left + size]
            match chance.randrange(4):
                case 0:
                    patch[:] = 255 - patch
                case 1:
                    patch[:] = chance.choice([0, 127, 255])
                case 2:
                    patch[:] = numbers.integers(0, 256, patch.shape)
                case _:
                    patch[:] = picture[:size, :size][: patch.shape[0], : patch.shape[1]]
        match chance.randrange(8):
            case 0:
                return numbers.integers(0, 2, (chance.randrange(1, 120), chance.randrange(1, 120), 3), np.uint8) * 255
            case 1:
                return picture[chance.randrange(high) :, chance.randrange(wide) :]
            case 2:
                return np.asarray(cv2.GaussianBlur(picture, (0, 0), chance.choice([0.5, 1, 2])), np.uint8)
            case 3:
                return np.tile(picture[: chance.randrange(1, 60), : chance.randrange(1, 60)], (3, 3, 1))
            case 4:
                return picture[..., 0] if chance.random() < 0.5 else picture[::-1, ::2]
            case _:
                return picture

    def body(picture: Image) -> None:
        found = codes.read(picture)
        assert len(found) <= codes.MOST
        for text in found:
            assert 0 < len(text.encode()) <= codes.LONGEST
            with suppress(ValueError):
                assert site.claims.find(Claim(Means.QR, text)) == (site.ada if text == CODE else None)
            assert not site.passes.use(text, "main", NOON).good or text == site.text

    attack(20_000, extent, make, body, tmp_path)


def test_the_inputs_reach_what_they_attack(site: Site) -> None:
    """A right one is let in: otherwise the tests above would show nothing."""
    for means, text in KNOWN.items():
        assert site.claims.find(Claim(means, text)) == site.ada
    assert site.pins.check(NUMBER, site.ada, PIN).verdict is Verdict.RIGHT
    assert site.pins.check(NUMBER, site.ada, DURESS).duress
    assert site.passes.use(site.text, "main", NOON).good
