"""A master key that only a passphrase opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.domain.errors import VaultError
from kiosk.storage import passphrase
from kiosk.storage.passphrase import LONGEST, SHORTEST, PassphraseKey

KEY, OTHER = bytes(range(32)), bytes(32)
WORDS, NEW_WORDS = "correct horse battery", "staple correct ñ"


class Asked:
    """Somebody who answers."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)
        self.questions = 0

    def ask(self) -> str:
        """The next answer."""
        self.questions += 1
        return next(self._answers)

    choose = ask


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "MEMORY_KIB", 64)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "gallery.key.sealed"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "a draft was left there"


def test_a_key_is_sealed_with_the_chosen_passphrase_and_opened_with_no_other(file: Path) -> None:
    PassphraseKey(file, Asked(WORDS)).write(KEY)
    assert KEY not in file.read_bytes()
    assert WORDS.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    asked = Asked(WORDS)
    source = PassphraseKey(file, asked)
    assert source.waiting
    assert [source.read(), source.read()] == [KEY, KEY]
    assert (asked.questions, source.waiting) == (1, False)
    for wrong in ("", "x", WORDS + " ", WORDS.upper(), "\udcff"):
        with pytest.raises(VaultError, match="not the passphrase"):
            PassphraseKey(file, Asked(wrong)).read()


def test_where_nobody_can_be_asked_the_message_says_what_to_do(file: Path) -> None:
    with pytest.raises(VaultError, match="kiosk keys passphrase"):
        PassphraseKey(file).write(KEY)
    assert PassphraseKey(file).read() is None
    assert not PassphraseKey(file).waiting
    PassphraseKey(file, Asked(WORDS)).write(KEY)
    with pytest.raises(VaultError, match="kiosk unlock"):
        PassphraseKey(file).read()


def test_a_wrong_passphrase_does_not_end_the_waiting(file: Path) -> None:
    PassphraseKey(file, Asked(WORDS)).write(KEY)
    source = PassphraseKey(file)
    with pytest.raises(VaultError):
        source.open("another one, quite long")
    assert source.waiting
    source.open(WORDS)
    assert (source.waiting, source.read()) == (False, KEY)


def test_the_first_key_stays(file: Path) -> None:
    PassphraseKey(file, Asked(WORDS)).write(KEY)
    PassphraseKey(file, Asked(NEW_WORDS)).write(OTHER)
    assert PassphraseKey(file, Asked(WORDS)).read() == KEY


def test_of_two_first_keys_at_once_one_stays_for_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = PassphraseKey(file, Asked(WORDS))
    exists = Path.exists

    def another_was_first(path: Path) -> bool:
        monkeypatch.setattr(Path, "exists", exists)
        PassphraseKey(file, Asked(WORDS)).write(KEY)
        return False

    monkeypatch.setattr(Path, "exists", another_was_first)
    late.write(OTHER)
    assert late.read() == KEY


def test_a_coming_key_has_the_same_passphrase(file: Path) -> None:
    source = PassphraseKey(file, Asked(WORDS))
    source.write(KEY)
    assert source.coming() is None
    source.prepare(OTHER)
    assert (source.read(), source.coming()) == (KEY, OTHER)
    source.adopt()
    assert (source.read(), source.coming()) == (OTHER, None)
    assert PassphraseKey(file, Asked(WORDS)).read() == OTHER


def test_another_passphrase_takes_the_place_of_the_old_one(file: Path) -> None:
    PassphraseKey(file, Asked(WORDS)).write(KEY)
    source = PassphraseKey(file, Asked(WORDS))
    for refused in ("x" * (SHORTEST - 1), "x" * (LONGEST + 1)):
        with pytest.raises(VaultError, match=f"{SHORTEST} to {LONGEST} characters"):
            source.change(refused)
    assert PassphraseKey(file, Asked(WORDS)).read() == KEY
    source.change(NEW_WORDS)
    assert source.read() == KEY
    assert PassphraseKey(file, Asked(NEW_WORDS)).read() == KEY
    with pytest.raises(VaultError, match="not the passphrase"):
        PassphraseKey(file, Asked(WORDS)).read()


@pytest.mark.parametrize("content", [b"", b"x" * 76, b"x" * 78, b"x" * 100_000])
def test_what_is_no_sealed_key_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(VaultError, match=r"gallery\.key\.sealed"):
        PassphraseKey(file, Asked(WORDS)).read()


def test_a_key_that_cannot_be_stored_leaves_the_old_one(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "gallery.key.sealed"
    with pytest.raises(VaultError, match="nothing was changed"):
        PassphraseKey(missing, Asked(WORDS)).write(KEY)
    assert list(tmp_path.iterdir()) == []
