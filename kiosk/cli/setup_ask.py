"""`kiosk setup`: asks on the terminal for what a file of answers would say."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kiosk.cli.asking import ask_one_of, ask_or, ask_secretly, ask_yes
from kiosk.cli.console import say
from kiosk.cli.setup_answers import Answers, Root, Tables, checked
from kiosk.cli.setup_file import rendered
from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.errors import ConfigError, os_trouble
from kiosk.domain.rights import Role
from kiosk.domain.security_level import Level
from kiosk.gui.catalogue import languages
from kiosk.system.files import replace

Ask = Callable[["Questions", Root], Tables]


class Questions(Protocol):
    """Whoever sits at the terminal."""

    def tell(self, *lines: str) -> None:
        """Shows lines."""

    def text(self, question: str, default: str) -> str:
        """A line."""

    def secret(self, question: str) -> str:
        """A line that is not shown, typed twice."""

    def yes(self, question: str, default: bool) -> bool:
        """Yes or no."""

    def choose(self, question: str, options: Mapping[str, str]) -> str:
        """One of the options; the first is the default. The values say what each is."""


class Terminal:
    """Asks on the terminal."""

    def tell(self, *lines: str) -> None:
        say(*lines)

    def text(self, question: str, default: str) -> str:
        return ask_or(question, default)

    def secret(self, question: str) -> str:
        return ask_secretly(question, again=True)

    def yes(self, question: str, default: bool) -> bool:
        return ask_yes(question, default)

    def choose(self, question: str, options: Mapping[str, str]) -> str:
        say(*(f"  {name:<12} {what}" for name, what in options.items()))
        return ask_one_of(question, list(options))


def interview(questions: Questions, root: Root, asks: Mapping[str, Ask]) -> Tables:
    """Asks for each section that is not answered yet. Each answer is kept on disk, so that a setup that was cut off
    goes on where it was. Raises ConfigError."""
    tables = kept(root)
    if tables:
        questions.tell(f"going on after: {', '.join(tables)} (to begin anew: rm {draft(root)})")
    for name, ask in asks.items():
        if name not in tables:
            tables[name] = ask(questions, root)
            _keep(root, tables)
    return {name: table for name, table in tables.items() if table}


def draft(root: Root) -> Path:
    """The file with the answers so far. There are no PINs in it."""
    return root.config.with_name(".setup.toml")


def kept(root: Root) -> Tables:
    """The answers so far. Raises ConfigError."""
    try:
        return dict(tomllib.loads(draft(root).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{draft(root)}: cannot be read ({error}): remove it, and begin anew") from error


def forget(root: Root) -> None:
    """The setup is done."""
    with suppress(FileNotFoundError):
        draft(root).unlink()


def _keep(root: Root, tables: Tables) -> None:
    text = "".join(f"{rendered({name: table})}" if table else f"[{name}]\n" for name, table in tables.items())
    try:
        root.config.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        replace(draft(root), text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"the answers cannot be kept: {os_trouble(error)}") from error


def ask_setup(questions: Questions, root: Root) -> Tables:
    """[setup]."""
    levels = {
        Level.STANDARD: "a face alone; at most 1 of 1,000 strangers' attempts is taken for somebody",
        Level.HIGH: "a tenth of that; people with a poor picture are refused more often",
        Level.HIGHEST: "a number, QR code or card first, then the face of that one person",
    }
    level = questions.choose("Level of security (kiosk level show says more)", {k.value: v for k, v in levels.items()})
    key = "file"
    if Path("/usr/bin/systemd-creds").exists() and not root.trial:
        places = {
            "credential": "sealed by systemd: with a TPM nobody without this board has the gallery",
            "file": "beside the gallery: whoever has the card has the gallery",
        }
        key = questions.choose("Where the gallery's key is kept", places)
    return {"level": level, "key": key}


def ask_door(questions: Questions, root: Root) -> Tables:
    """[door]. No default but in a trial: two doors of a site would have it."""
    while True:
        name = questions.text("What this door is called, as no other of the site", "trial" if root.trial else "")
        if re.fullmatch(DOOR_NAME_PATTERN, name):
            return {"name": name}
        questions.tell("lower-case letters, digits and hyphens, 32 at most: for example north-entrance")


def ask_screen(questions: Questions, _: Root) -> Tables:
    """[screen]."""
    names = questions.text(f"Languages of the screen, the first one first ({', '.join(languages())})", "en")
    inches = questions.text("Size of the screen from corner to corner, in inches", "7")
    try:
        return {"languages": [name.strip() for name in names.split(",")], "diagonal_mm": round(float(inches) * 25.4, 1)}
    except ValueError as error:
        raise ConfigError(f"{inches!r} is no number of inches: give the command again") from error


def ask_notifiers(questions: Questions, _: Root) -> Tables:
    """[notifiers.NAME]: one, or none."""
    kinds = {
        "none": "nobody; another time (deploy/operating.md, Notifiers)",
        "webhook": "an HTTPS address",
        "mqtt": "a broker, for example Home Assistant's",
    }
    kind = questions.choose("Who is told of alarms", kinds)
    if kind != "none":
        questions.tell(
            "Outside of the site's own network it needs kiosk-notify.service.d/internet.conf (deploy/units.md)."
        )
    if kind == "webhook":
        url = questions.text("Its address", "https://")
        secret = questions.text("File with the secret that signs (whsec_...)", "/etc/kiosk/webhook.secret")
        return {"webhook": {"kind": kind, "url": url, "secret_file": secret, "alarms_only": True}}
    if kind == "mqtt":
        keys: Tables = {"kind": kind, "host": questions.text("Its name or address", "")}
        if user := questions.text("User name there (empty: none)", ""):
            password = questions.text("File with the password", "/etc/kiosk/mqtt.secret")
            keys |= {"username": user, "password_file": password}
        return {"mqtt": keys}
    return {}


def ask_people(questions: Questions, consent: str, photographed: Callable[[], Path]) -> Iterator[Tables]:
    """[[people]], one after the other: an admin, and whoever else. `consent`: the text that they agree to.
    `photographed` takes pictures at the camera."""
    role = Role.ADMIN
    while questions.yes(f"Enrol {'an admin' if role is Role.ADMIN else 'somebody else'} now", role is Role.ADMIN):
        person: Tables = {"name": questions.text("Name", "")}
        if role is not Role.ADMIN:
            roles = {"staff": "enrols people at the kiosk", "admin": "everything", "none": "only comes in"}
            chosen = questions.choose("Role", roles)
            role = Role(chosen) if chosen != "none" else Role.AUDITOR
        if role is not Role.AUDITOR:
            person["role"] = role.value
        person["number"] = questions.text("Personal number (4 to 8 digits; no secret)", "")
        person["pin"] = questions.secret("PIN (6 to 12 digits), typed by the person")
        if not questions.yes(f"Has this person read the text {consent} (kiosk consent show), and agreed", False):
            questions.tell("then nobody is enrolled: offer another way in")
            continue
        given = questions.text("Photograph, or a folder of them (empty: at the camera, now)", "")
        picture = Path(given).expanduser().absolute() if given else photographed()
        yield {**person, "consent": consent, "pictures": [str(picture)]}
        role = Role.STAFF


def with_people(answers: Answers, people: list[Tables], root: Root) -> Answers:
    """The same answers with these people. Raises ConfigError."""
    setup = answers.setup.model_dump(mode="json")
    return checked({**answers.tables, "setup": setup, "people": people}, "the answers", root, Path.cwd())


def there() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()
