"""The commands. Each is imported only when it is called, so that `kiosk --help` is quick and `kiosk audit` does not
load Qt."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from kiosk import __version__

COMMANDS = {
    "attempts": "kiosk.cli.attempts:attempts",
    "audit": "kiosk.cli.audit:audit",
    "backup": "kiosk.cli.backup:backup",
    "bench": "kiosk.cli.bench:bench",
    "calibrate": "kiosk.cli.calibrate:calibrate",
    "clock": "kiosk.cli.clock:clock",
    "consent": "kiosk.cli.consent:consent",
    "doctor": "kiosk.cli.doctor:doctor",
    "door": "kiosk.cli.door:door",
    "enrol": "kiosk.cli.enrol:enrol",
    "evaluate": "kiosk.cli.evaluate:evaluate",
    "gallery": "kiosk.cli.gallery:gallery",
    "health": "kiosk.cli.health:health",
    "identify": "kiosk.cli.identify:identify",
    "keys": "kiosk.cli.keys:keys",
    "level": "kiosk.cli.level:level",
    "models": "kiosk.cli.models:models",
    "notify": "kiosk.cli.notify:notify",
    "passes": "kiosk.cli.passes:passes",
    "replay": "kiosk.cli.replay:replay",
    "restore": "kiosk.cli.restore:restore",
    "retention": "kiosk.cli.retention:retention",
    "run": "kiosk.cli.run:run",
    "screen": "kiosk.cli.screen:screen",
    "setup": "kiosk.cli.setup:setup",
    "subjects": "kiosk.cli.subjects:subjects",
    "unlock": "kiosk.cli.unlock:unlock",
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command. None for an unknown name, which click reports."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--home",
    type=click.Path(file_okay=False, readable=False, path_type=Path),
    envvar="KIOSK_HOME",
    help="Folder of the gallery and its key.  [default: [kiosk] home of the configuration; without one "
    "~/.local/share/kiosk]",
)
@click.version_option(__version__, prog_name="kiosk")
@click.pass_context
def cli(ctx: click.Context, home: Path | None) -> None:
    """Face verification at a door: on this device, encrypted, fail closed."""
    ctx.obj = home  # without --home, console.home_of finds it
