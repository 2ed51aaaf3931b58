"""The command line of the small programs, kiosk-door and kiosk-notify: a mistake is one line and exit status 2."""

from __future__ import annotations

import argparse
from typing import NoReturn

from kiosk.domain.errors import ConfigError


class CommandLine(argparse.ArgumentParser):
    """Raises ConfigError where argparse would print its usage and exit. Takes no abbreviated options."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(prog=program, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{message} (see {self.prog} --help)")
