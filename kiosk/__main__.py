"""The command `kiosk`."""

from __future__ import annotations

import sys

import click

from kiosk.cli import cli
from kiosk.cli.console import complain, finish_output
from kiosk.domain.errors import KioskError, OutputError, os_trouble
from kiosk.system.memory import keep_private
from kiosk.system.systemd import occupy_standard_files


def main() -> None:
    """Exit status 0 for success, 1 when a check failed, 2 with one line for bad input."""
    keep_private()
    occupy_standard_files()
    status = _run()
    finish_output()
    sys.exit(status)


def _run() -> int:
    try:
        status = cli(prog_name="kiosk", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except OutputError as error:
        if error.reader_gone:
            return 0
        complain(str(error))
    except KioskError as error:
        complain(str(error))
    except click.ClickException as error:
        _explain(error)
    except click.Abort:
        complain("stopped")
        return 1
    except BrokenPipeError:
        return 0  # the reader of click's own help text closed the pipe
    except OSError as error:
        complain(os_trouble(error))
    return 2


def _explain(error: click.ClickException) -> None:
    """Prints one line: what is wrong, and where the help is. A group without a command shows its help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f" (see `{context.command_path} --help`)" if context is not None else ""
    complain(f"{error.format_message().rstrip('.')}{where}")


if __name__ == "__main__":
    main()
