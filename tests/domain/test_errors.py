"""All errors of the kiosk are in one tree, and the tree is drawn."""

from __future__ import annotations

import ast
import builtins
import errno
import inspect
from pathlib import Path

import pytest

import kiosk
from kiosk.domain import errors
from kiosk.domain.errors import KioskError, os_trouble

PACKAGE = Path(kiosk.__file__).parent
BRANCH = 4
"""Characters that each level of the drawing is indented by."""


def classes() -> set[type[Exception]]:
    found = {c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__}
    return {c for c in found if issubclass(c, Exception)}


def drawn() -> dict[str, str]:
    """The drawing of the docstring: each class, and the one that it hangs from ("" for the root)."""
    above: list[str] = []
    tree = {}
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if name.endswith("Error"):
            depth = (len(line) - len(line.lstrip("│├└─ "))) // BRANCH
            above[depth:] = [name]
            tree[name] = above[depth - 1] if depth else ""
    return tree


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    assert drawn() == {c.__name__: "" if c is KioskError else c.__mro__[1].__name__ for c in classes()}


def test_no_error_is_defined_elsewhere() -> None:
    """A private one may be, for it goes no further than its own module."""
    known = {c.__name__ for c in classes()} | {name for name, c in vars(builtins).items() if is_error(c)}
    for file in set(PACKAGE.rglob("*.py")) - {Path(inspect.getfile(errors))}:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {base.attr if isinstance(base, ast.Attribute) else ast.unparse(base) for base in node.bases}
                assert not bases & known, f"{file}: {node.name} belongs into kiosk.domain.errors"


def is_error(what: object) -> bool:
    return isinstance(what, type) and issubclass(what, BaseException)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "/x: Permission denied: run this as a user that may",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", b"/x"), "/x: No such file or directory"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "the folder that this runs in may be gone"),
        (OSError(), "OSError"),
    ],
)
def test_trouble_with_a_file_is_one_line_that_names_it(error: OSError, said: str) -> None:
    assert said in os_trouble(error)
    assert "\n" not in os_trouble(error)
