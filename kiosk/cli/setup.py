"""`kiosk setup`: the first run, on the terminal or unattended from a file. It may be cut off at any step and given
again: what is done is not done twice."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import click

from kiosk.cli import setup_ask, setup_camera, setup_lock, setup_steps
from kiosk.cli.console import complain, say
from kiosk.cli.setup_answers import Answers, Root, checked, read
from kiosk.cli.setup_file import rendered, write
from kiosk.domain.errors import ConfigError
from kiosk.station import consent

ASKS: dict[str, setup_ask.Ask] = {
    "setup": setup_ask.ask_setup,
    "door": setup_ask.ask_door,
    "camera": setup_camera.ask,
    "lock": setup_lock.ask,
    "screen": setup_ask.ask_screen,
    "notifiers": setup_ask.ask_notifiers,
}
"""The sections, in the order in which they are asked for."""


@click.command()
@click.option("--from", "source", type=click.Path(dir_okay=False, path_type=Path), help="Every answer, from this file.")
@click.option("--force", is_flag=True, help="Replace another configuration; the old one is kept beside it.")
@click.option(
    "--root",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="/",
    help="Try it below this folder, with a simulated lock; nothing of the machine is touched.",
)
def setup(source: Path | None, force: bool, folder: Path) -> None:
    """Sets up the kiosk of this machine: camera, lock, key, first people, configuration, units.

    It asks on the terminal; --from FILE asks nothing (deploy/setup.toml is an example). The camera is looked through,
    the lock's polarity is tested by what you see. A configuration that is there is never replaced without --force. Cut
    off at any step, the same command goes on.
    """
    root = Root(folder.absolute())
    if not root.trial and os.geteuid() != 0:
        raise ConfigError("this sets up the machine, for which you must be root: sudo kiosk setup")
    if source is None and not setup_ask.there():
        raise ConfigError("nobody can be asked here: give the answers in a file: kiosk setup --from FILE")
    terminal = setup_ask.Terminal()
    if source is not None:
        answers = read(source, root)
        setup_steps.folders(root)
    else:
        if root.config.exists() and not force and not setup_ask.kept(root):
            raise ConfigError(f"{root.config}: this kiosk is set up: change it there, or begin anew with --force")
        setup_steps.folders(root)
        answers = checked(setup_ask.interview(terminal, root, ASKS), "the answers", root, Path.cwd())
    carry_out(answers, root, force)
    if source is None:
        text = str(consent.find(answers.settings.consent, None))
        lent = setup_camera.lent(root)
        camera = partial(setup_camera.photographs, answers.settings.camera, lent, terminal)
        try:
            for person in setup_ask.ask_people(terminal, text, camera):
                enrol(setup_ask.with_people(answers, [person], root), root)
                shutil.rmtree(lent, ignore_errors=True)
        finally:
            shutil.rmtree(lent, ignore_errors=True)
    begin(answers, root)
    setup_ask.forget(root)


def carry_out(answers: Answers, root: Root, force: bool) -> None:
    """Key, configuration, and the people that the answers name. Raises KioskError."""
    if answers.setup.key == "credential" and setup_steps.seal_key(root):
        say(f"sealed     the gallery's key, in {root.credential}")
    written = write(root.config, rendered(answers.tables), force)
    say(f"{'written' if written else 'there'}    {root.config}")
    enrol(answers, root)


def enrol(answers: Answers, root: Root) -> None:
    """The people of the answers. Raises KioskError."""
    for person in answers.people:
        who = setup_steps.enrol(person, root)
        say(f"enrolled   {who}{f' ({person.role.value})' if person.role else ''}")


def begin(answers: Answers, root: Root) -> None:
    """Starts it, or says how; and what else is to do on the first day. Raises ConfigError."""
    commands = setup_steps.start(answers, root)
    say(*(f"now give   {command}" for command in commands) if commands else ["started    kiosk-door and kiosk"])
    if answers.settings.lock is not None and not answers.settings.drives_a_real_lock:
        complain("the lock is simulated: no door moves")
    if not root.trial:
        say(
            "then       sudo kiosk doctor               what is missing",
            "           sudo kiosk keys recovery         a passphrase for the day when this board is dead",
            "           kiosk doctor --acceptance        what only you can see",
        )
