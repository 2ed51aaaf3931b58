"""`kiosk models switch`: another embedder without enrolling anybody by hand (domain.transition)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk import config as configuration
from kiosk.cli.asking import Terminal
from kiosk.cli.console import config_option, emit, json_option, name_home, say, told_or_not
from kiosk.cli.door_log import log_of
from kiosk.cli.models.under_way import Change, bar, ids, manifest_of, progress_of, row, told, under_way
from kiosk.cli.moments import shown
from kiosk.cli.registers import ask_the_kiosk, own_gallery, running_kiosk
from kiosk.cli.rewriting import change
from kiosk.config import Config
from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import ConfigError, GalleryError, os_trouble
from kiosk.station.levels import RESTART
from kiosk.station.safeguards import refuse_unsafe
from kiosk.storage.home import Home
from kiosk.storage.keys import chosen
from kiosk.storage.switching import drop
from kiosk.system.files import locked
from kiosk.system.owner import acting_for
from kiosk.vision.manifest import EmbedderEntry
from kiosk.vision.models import Models, load

NONE = "no change of the embedder is under way: `kiosk models switch NAME` begins one"
AGAIN = f"it counts from the kiosk's next start: {RESTART}"


@click.command("switch")
@click.argument("name", required=False)
@click.option("--status", is_flag=True, help="Who is renewed, and who is not yet.")
@click.option("--back", is_flag=True, help="Use the embedder of before again.")
@click.option("--finish", is_flag=True, help="Erase the references of the embedder of before, and end the change.")
@click.option("--anyway", is_flag=True, help="With --finish: although somebody is left, who must enrol again then.")
@config_option
@json_option
@ask_the_kiosk
@name_home
def switch(
    home: Home,
    name: str | None,
    status: bool,
    back: bool,
    finish: bool,
    anyway: bool,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Changes the embedder to NAME, a network of `kiosk models list`, without enrolling anybody by hand.

    It writes the configuration; restart the kiosk after it. From then on both networks' references count: whoever is
    let in by one of the network of before, at a good visit, gets references of NAME from that visit. --status shows how
    far it is, --back returns to the network of before, whose references stay until --finish erases them.
    """
    if (name is not None) + status + back + finish != 1 or (anyway and not finish):
        raise click.UsageError("name a network, or give one of --status, --back, --finish (with --anyway)")
    if status:
        _status(home, _read(config_file), as_json)
        return
    with _alone(config_file):
        found = _read(config_file)  # inside the lock: two commands at once begin one change
        if name is not None:
            _begin(home, found, name, config_file, as_json)
        elif back:
            _back(home, found, config_file, as_json)
        else:
            _finish(home, found, config_file, anyway, as_json)


def _begin(home: Home, config: Config, name: str, config_file: Path | None, as_json: bool) -> None:
    if config.models.previous is not None:
        raise ConfigError(
            f"a change is under way already, from {config.models.previous} to {config.models.embedder}: "
            "`kiosk models switch --finish` or --back ends it"
        )
    manifest = manifest_of(config)
    change_ = Change(manifest.entry(name, EmbedderEntry), manifest.entry(config.models.embedder, EmbedderEntry))
    if change_.new.model_id == change_.old.model_id:
        raise ConfigError(f"{name} is the embedder already")
    models = _tried(home, config, change_)
    far, _ = progress_of(home, change_)
    path = change(config_file, [("models", "embedder", change_.new.name), ("models", "previous", change_.old.name)])
    _record(home, AuditOutcome.NETWORK_SWITCHED, change_)
    with told_or_not():
        if as_json:
            emit(
                {
                    **row(change_, far, None),
                    "config": str(path),
                    "by_map": models.earlier is not None and models.earlier.pair is not None,
                }
            )
            return
        say(*told(change_, models, far))
        say(f'{path}: [models] embedder = "{change_.new.name}", previous = "{change_.old.name}"', AGAIN)
        say("how far it is: kiosk models switch --status")


def _tried(home: Home, config: Config, change: Change) -> Models:
    """The networks as the kiosk will load them. Raises ConfigError and ModelError for what it would refuse to start
    with."""
    models = config.models.model_copy(update={"embedder": change.new.name, "previous": change.old.name})
    if config.policy.threshold is not None:
        raise ConfigError("[policy] threshold is of one network: take it out of the configuration first")
    loaded = load(models, config.policy)
    _ = loaded.thresholds  # raises ModelError without any
    if config.drives_a_real_lock:
        refuse_unsafe(config.model_copy(update={"models": models}), loaded, {})
    return loaded


def _back(home: Home, config: Config, config_file: Path | None, as_json: bool) -> None:
    change_ = _the_one(config)
    far, _ = progress_of(home, change_)
    path = change(config_file, [("models", "embedder", change_.old.name), ("models", "previous", None)])
    _record(home, AuditOutcome.NETWORK_BACK, change_)
    with told_or_not():
        if as_json:
            emit({**row(change_, far, None), "back": True})
            return
        say(f'{path}: [models] embedder = "{change_.old.name}"', AGAIN)
        if far.others:
            say(f"with references of {change_.new.name} only, so to be enrolled again: {ids(far.others)}")


def _finish(home: Home, config: Config, config_file: Path | None, anyway: bool, as_json: bool) -> None:
    change_ = _the_one(config)
    far, _ = progress_of(home, change_)
    if far.left and not anyway:
        raise GalleryError(
            f"{len(far.left)} have references of {change_.old.name} only and would have to enrol again: "
            f"{ids(far.left)}; wait for their next visits, enrol them again, or say --anyway"
        )
    _refuse_unwritable(config_file)
    gone = _erase(home, config, change_.old.model_id) if home.database.exists() else 0
    path = change(config_file, [("models", "previous", None)])
    _record(home, AuditOutcome.NETWORK_FINISHED, change_)
    with told_or_not():
        if as_json:
            emit({**row(change_, far, None), "finished": True, "erased": gone})
            return
        say(f"{gone} references of {change_.old.name} are erased here; backups of before still hold them")
        if far.left:
            say(f"to be enrolled again (kiosk enrol --again WHO): {ids(far.left)}")
        say(f"{path}: [models] previous is taken out", AGAIN)


def _erase(home: Home, config: Config, model_id: str) -> int:
    running = running_kiosk()
    if running is not None:
        return running.drop(model_id)
    owned = Home(home.folder, chosen(config.keys, home.folder, Terminal(beside=False)))
    with acting_for(home.folder), own_gallery(owned) as gallery:
        return drop(gallery, model_id)


def _status(home: Home, config: Config, as_json: bool) -> None:
    change_ = under_way(config)
    if change_ is None:
        if as_json:
            emit({"under_way": False})
        else:
            say(NONE)
        return
    far, since = progress_of(home, change_)
    if as_json:
        emit({"under_way": True, **row(change_, far, since), "waiting": [{"subject": who} for who in far.left]})
        return
    say(f"from {change_.old.name} to {change_.new.name}" + (f", since {shown(since)}" if since else ""))
    say(bar(far))
    if far.left:
        say(f"not yet: {ids(far.left)}", "they get in as before, and are renewed at their next good visit")
    else:
        say("everybody is renewed: kiosk models switch --finish")


def _record(home: Home, outcome: AuditOutcome, change: Change) -> None:
    """Writes into the log who did it. Raises GalleryError; then the configuration is changed already."""
    with acting_for(home.folder):
        if not home.database.exists():
            return
    detail: dict[str, str | int | float | bool | None] = {
        "uid": os.getuid(),
        "from": change.old.model_id,
        "to": change.new.model_id,
    }
    record = AuditRecord(AuditKind.ENROLMENT, datetime.now(UTC), outcome=outcome, detail=detail)
    try:
        with log_of(home) as log:
            log.append([record])
    except GalleryError as error:
        raise GalleryError(f"the configuration is changed, but the log could not be written: {error}") from error


def _the_one(config: Config) -> Change:
    found = under_way(config)
    if found is None:
        raise ConfigError(NONE)
    return found


def _file(config_file: Path | None) -> Path:
    found = configuration.find(config_file)
    if found is None:
        raise ConfigError("there is no configuration to change: make one with `kiosk setup`, or name it with --config")
    return found.resolve()


def _read(config_file: Path | None) -> Config:
    return configuration.read(_file(config_file))


def _refuse_unwritable(config_file: Path | None) -> None:
    """Before anything is erased. Raises ConfigError."""
    path = _file(config_file)
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be written: do it as root (sudo)")


@contextmanager
def _alone(config_file: Path | None) -> Iterator[None]:
    """One command at a time changes the configuration. Raises ConfigError."""
    path = _file(config_file)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path.parent))
        except BlockingIOError as error:
            raise ConfigError(f"{path}: another command is changing it: wait for it") from error
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {os_trouble(error)}; do it as root (sudo)") from error
        yield
