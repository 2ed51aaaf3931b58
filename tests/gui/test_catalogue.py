"""Every text that a person reads is in the catalogue, in each complete language, and none that nobody reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from kiosk.domain.errors import ConfigError
from kiosk.gui import catalogue
from kiosk.gui.catalogue import COMPLETE, ENGLISH, FOLDER, languages, read, texts
from kiosk.gui.toolkit import layouts

GUI = Path(catalogue.__file__).parent
NO_SCREEN = frozenset({"app.py", "probe.py", "door_simulator.py"})
"""What they say goes to whoever starts the program: errors of Qt, and the engineer's panel of a simulated door."""
SENTENCE = re.compile(r"[^\W\d_]{2,}[ ,.!?]+[^\W\d_]|^[A-ZÄÖÜ][a-zäöüß]{2,}")
ENGLISH_KEYS = frozenset(read(ENGLISH)[0]) | frozenset(read(ENGLISH)[1])
NO_TEXT = frozenset({"", "Kiosk Sans", "Kiosk Sans Arabic", "px solid "})
"""Names of fonts, and a piece of a style sheet."""
SAYING = ("setText", "setToolTip", "setPlaceholderText", "setTitle", "drawText", "QLabel", "QPushButton")


def modules() -> list[Path]:
    return sorted(p for p in GUI.rglob("*.py") if p.name not in NO_SCREEN)


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Texts in the code that are no docstrings, no errors' messages and no annotations."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr | ast.Raise):
            skipped.update(ast.walk(node) if isinstance(node, ast.Raise) else [node.value])
        for part in ("annotation", "returns"):
            inner = getattr(node, part, None)
            if isinstance(inner, ast.AST):
                skipped.update(ast.walk(inner))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node


def written(source: str) -> list[str]:
    """Texts that look like something to read, or are given to something that shows them."""
    tree = ast.parse(source)
    found = [n.value for n in literals(tree) if SENTENCE.search(n.value) and not re.fullmatch(r"[a-z_.]+", n.value)]
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in SAYING:
            found += [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return [text for text in found if text not in NO_TEXT]


def used() -> set[str]:
    """All words of the code that can be keys, or sections of the catalogue."""
    return {node.value for path in modules() for node in literals(ast.parse(path.read_text(encoding="utf-8")))}


def test_no_text_is_missing() -> None:
    """What looks like a key is one."""
    sections = {key.partition(".")[0] for key in ENGLISH_KEYS}
    looks = {word for word in used() if re.fullmatch(r"[a-z_]+\.[a-z_]+", word) and word.partition(".")[0] in sections}
    assert len(looks) > 10
    assert looks - ENGLISH_KEYS == set()


def test_no_text_is_there_that_nobody_reads() -> None:
    """A key is used as a whole, or by its section (a headline with its detail)."""
    words = used()
    unused = {key for key in ENGLISH_KEYS if key not in words and key.partition(".")[0] not in words}
    assert unused == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(GUI)))
def test_no_text_is_written_in_the_code(path: Path) -> None:
    assert written(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ['label.setText("x")', 'say = "Come closer"', 'a = f"Hello {name}"', 'QLabel("ok")', 'b = "Wait 3 s, then"'],
)
def test_a_text_in_the_code_would_be_found(source: str) -> None:
    assert written(source)


@pytest.mark.parametrize("language", COMPLETE)
def test_a_complete_language_has_every_text(language: str) -> None:
    single, lists = read(language)
    english, english_lists = read(ENGLISH)
    assert single.keys() == english.keys()
    assert {key: len(list_) for key, list_ in lists.items()} == {k: len(v) for k, v in english_lists.items()}


@pytest.mark.parametrize("language", languages())
def test_each_text_is_of_a_key_in_english_and_has_its_places(language: str) -> None:
    for key, text in read(language)[0].items():
        assert key in ENGLISH_KEYS
        assert text.strip()
        assert places(text) == places(read(ENGLISH)[0][key]), key


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_german_is_not_english() -> None:
    english, german = read("en")[0], read("de")[0]
    same = {key for key in english if english[key] == german[key] and re.search(r"[a-z]{3}", english[key])}
    assert same <= {"clock.time", "key.accents", "key.qr", "way.qr"}, "not translated"


def test_what_a_language_lacks_is_taken_from_english() -> None:
    assert texts("ar")("key.shift") == texts("en")("key.shift")
    assert texts("ar")("key.back") != texts("en")("key.back")
    assert texts("ar").right_to_left
    assert not texts("de").right_to_left


def test_a_key_that_is_not_there_is_shown_and_ends_nothing() -> None:
    assert texts()("not.there") == "not.there"


def test_a_language_without_texts_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="'xx', only in ar, de, en"):
        texts("xx")


def test_each_language_has_a_keyboard() -> None:
    assert set(layouts.LETTERS) == set(languages())
    assert {p.suffixes[0].removeprefix(".") for p in FOLDER.iterdir()} == set(languages())
