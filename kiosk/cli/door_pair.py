"""`kiosk door pair`: lets a panel set the key of its secure channel."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import config, plugins
from kiosk.cli.console import complain, config_option, name_home, say, told_or_not
from kiosk.cli.door_log import log_of, record
from kiosk.cli.numbers import Finite
from kiosk.domain.audit import AuditKind, AuditOutcome, Command
from kiosk.domain.errors import ConfigError
from kiosk.storage.home import Home


@click.command()
@click.option("--seconds", type=Finite(1, 600), default=120.0, show_default=True, help="How long to wait.")
@config_option
@name_home
def pair(home: Home, seconds: float, config_file: Path | None) -> None:
    """Waits for the panel to set its key (install mode), and stores it where [panel] says. Stop kiosk-door before.

    Anybody on the line can set the key meanwhile: do this where nobody else is. Only this command accepts a key.
    """
    found = config.find(config_file)
    panel = None if found is None else config.read(found).panel
    if panel is None:
        raise ConfigError("[panel] is missing: name the configuration of the door with --config")
    plugin, options = plugins.configured("panels", panel)
    act = getattr(plugin, "pair", None)
    if act is None:
        raise ConfigError(f"a panel of kind {panel.kind!r} is not paired: see its own description")
    with log_of(home) as log:
        complain(f"waiting {seconds:g} s for the panel to set its key")
        back = act(options, seconds)
        log.append([record(AuditKind.COMMAND, Command.PAIR, outcome=AuditOutcome.PAIRED)])
    with told_or_not():
        say("paired" if back else "the key is set; the panel has not come back with it yet")
