"""`kiosk setup`: which lock there is, and a test of its polarity that asks what relay and door did.

The relay is moved for one second. From what somebody saw follows what the configuration must say, so nobody has to know
whether a board's relay is energised by a high line, or what kind of lock hangs on it:

    relay during the second    door during the second    active_high    fail_mode
    on                         released                  true           "secure" (strike)
    on                         locked                    true           "safe" (maglock)
    off                        released                  false          "safe"
    off                        locked                    false          "secure"
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import cast

from kiosk import plugins
from kiosk.cli.setup_answers import Root, Tables
from kiosk.cli.setup_ask import Questions
from kiosk.config import SIMULATED
from kiosk.domain.errors import ConfigError
from kiosk.domain.ports.lock import Lock
from kiosk.sections import LockConfig

SECOND = 1.0
KINDS = {
    SIMULATED: "none yet: a simulated one, for a trial",
    "gpio": "a relay on a pin of this board",
    "usb-hid": "a relay board on USB",
}
WARNING = (
    "The relay moves for one second now, and the door may be released: stand at it. The exit button works as always"
)


def ask(questions: Questions, root: Root, sleep: Callable[[float], None] = time.sleep) -> Tables:
    """The keys of [lock]. Raises ConfigError, LockError."""
    kind = questions.choose("Which lock", KINDS if not root.trial else {SIMULATED: KINDS[SIMULATED]})
    if kind == SIMULATED:
        return {"kind": SIMULATED, "inputs": True}
    keys: Tables = {"kind": kind}
    if kind == "gpio":
        keys["chip"] = questions.text("Its chip (gpioinfo shows them)", "/dev/gpiochip0")
        line = questions.text("Its line, by offset or name", "17")
        keys |= {"line": int(line) if line.isdecimal() else line, "active_high": True}
    else:
        keys["channel"] = int(questions.text("Which relay of the board", "1"))
    keys["fail_mode"] = "secure"
    while True:
        _pulse(keys, questions, sleep)
        lit = questions.yes("Did the relay switch ON for that second (a click, its light on)", True)
        if not lit and not questions.yes("Was it on before and after, and OFF for that second", False):
            raise ConfigError("the relay did not move: check chip, line and supply (deploy/door.md), then again")
        released = questions.yes("Was the door RELEASED for that second, and locked otherwise", lit)
        if not released and not questions.yes("Was it LOCKED for that second, and released otherwise", True):
            raise ConfigError("the door did not follow the relay: check lock and wiring (deploy/door.md), then again")
        if not lit and kind != "gpio":
            raise ConfigError("this board's relay is on without being asked: it is no lock's relay (deploy/door.md)")
        active_high, fail_mode = polarity(lit, released)
        keys |= {"fail_mode": fail_mode} | ({"active_high": active_high} if kind == "gpio" else {})
        _pulse(keys, questions, sleep)
        if questions.yes("Once more, as it will be: was the door released for that second, and is it locked now", True):
            return keys


def polarity(lit: bool, released: bool) -> tuple[bool, str]:
    """(active_high, fail_mode) from what a high line did: was the relay on, and was the door released."""
    return lit, "secure" if lit == released else "safe"


def _pulse(keys: Tables, questions: Questions, sleep: Callable[[float], None]) -> None:
    """Releases for a second, and secures whatever happens. Raises LockError, ConfigError."""
    questions.tell(WARNING)
    questions.text("Enter when you stand there", "")
    lock = cast("Lock", plugins.make("locks", LockConfig.model_validate(keys)))
    with closing(lock):
        try:
            lock.release(SECOND)
            sleep(SECOND)
        finally:
            lock.secure()
