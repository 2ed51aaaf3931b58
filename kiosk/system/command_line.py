"""The command line of kiosk-door and kiosk-notify: a wrong argument gives one line and exit status 2."""

from __future__ import annotations

import argparse
from typing import NoReturn

from kiosk.domain.errors import ConfigError


class CommandLine(argparse.ArgumentParser):
    """A parser that raises ConfigError instead of printing its usage and exiting. Accepts no abbreviated options."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(prog=program, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{message} (see {self.prog} --help)")
