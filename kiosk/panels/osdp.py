"""The kiosk as a card reader of an access panel: OSDP (IEC 60839-11-5) over RS-485, through libosdp.

The panel asks and this side answers, only in the secure channel: under ENFORCE_SECURE libosdp refuses all plain text
except the handshake. No card stays in libosdp's event queue, because libosdp would send it at any later time: turn()
puts a card there, polls the line once and takes it back. There is no command callback, so libosdp refuses every command
that would change something (another key, another address, outputs). It also refuses commands for a lamp or a buzzer;
they would say nothing about the lock.

This module uses osdp_sys and not the wrapper `osdp` of the same package. The wrapper accepts any new key that the panel
sets, keeps every command in a queue that nobody empties, and needs a thread.
"""

from __future__ import annotations

import os
import secrets
import select
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from kiosk.domain.badge import Card
from kiosk.domain.door.state import Readings
from kiosk.domain.errors import HomeError, LockError
from kiosk.domain.ports.panel import Turn
from kiosk.panels.line import Line
from kiosk.system.files import sync
from kiosk.system.owner import acting_for

if TYPE_CHECKING:
    from types import ModuleType

KEY_BYTES = 16
DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D of the standard, which is public."""
REOPEN_SECONDS = 1.0
PAIR_TURN_SECONDS = 0.05

Text = Annotated[str, Field(min_length=1)]


class OsdpPanel:
    """An OSDP peripheral device with one reader."""

    simulated = False

    class Options(BaseModel):
        """[panel] with kind = "osdp"."""

        model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

        device: Text
        """The serial line: "/dev/serial/by-id/..."."""
        baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
        address: Annotated[int, Field(ge=0, le=126)] = 0
        """Address of this reader on the panel's line."""
        key_file: Text = "/var/lib/kiosk-door/panel.key"
        """The secure channel's base key (SCBK): 32 hexadecimal digits."""

    def __init__(self, options: Options) -> None:
        """Raises LockError when there is no usable key, or the line cannot be opened."""
        self._options = options
        self._osdp = _library()
        self._key = read_key(Path(options.key_file))
        self._ready = select.epoll()
        self._line: Line | None = None
        self._device: Any = None
        self._reopen_at = 0.0
        self._connect()

    def turn(self, card: Card | None) -> Turn:
        """Answers the panel once and offers `card`, if there is one. Raises LockError while the line does not work; the
        next calls try to open it again."""
        line = self._line or self._connect()
        line.answered = False
        offered = card is not None and self._device.is_sc_active() and self._device.submit_event(self._event(card))
        self._device.refresh()
        told = self._device.flush_events() == 0 and offered
        if line.error or (told and not line.answered):
            self._disconnect()
            raise LockError(f"{self._options.device}: the line to the panel has failed: {line.error or 'no answer'}")
        if told:
            return Turn.PRESENTED
        return Turn.ASKED if line.answered and self._device.is_sc_active() else Turn.QUIET

    def read(self) -> Readings:
        """Empty readings: door contact and exit button are wired to the panel."""
        return Readings()

    def fileno(self) -> int | None:
        """The descriptor of an epoll, which stays valid when the line is opened again."""
        return self._ready.fileno()

    def sound(self, on: bool) -> None:
        """Does nothing: there is no sounder."""

    def close(self) -> None:
        """Never raises."""
        self._disconnect()
        self._ready.close()

    @classmethod
    def pair(cls, options: Options, seconds: float) -> bool:
        """Waits up to `seconds` in install mode for the panel to set the key, and stores it. For setup only.

        Anybody on the line can set the key: do this on the bench, or watch the line. No card is sent here. Returns
        whether the panel has also opened the secure channel with the new key. Raises LockError when there is a key
        already, or the panel set none.
        """
        osdp, path = _library(), Path(options.key_file)
        if path.exists():
            raise LockError(f"{path}: there is a key already: move it away to pair with a panel again")
        line = Line(options.device, options.baud)
        keys: list[bytes] = []

        def command(told: dict[str, Any]) -> tuple[int, None]:
            good = told.get("command") == osdp.CMD_KEYSET and not keys and _keep(path, told.get("data"), keys)
            return (0 if good else -1), None

        flags = osdp.FLAG_ENFORCE_SECURE | osdp.FLAG_INSTALL_MODE
        device = _device(osdp, options.address, line, flags, secrets.token_bytes(KEY_BYTES))
        device.set_command_callback(command)
        until = time.monotonic() + seconds
        try:
            while not (keys and device.is_sc_active()) and time.monotonic() < until and not line.error:
                select.select([line.fd], [], [], PAIR_TURN_SECONDS)
                device.refresh()
        finally:
            line.close()
        if not keys:
            raise LockError(line.error or f"no panel has set a key within {seconds:g} s: is it in install mode?")
        return bool(device.is_sc_active())

    def _connect(self) -> Line:
        """Opens the line with a new OSDP device, so that no secure channel outlives its line. Raises LockError."""
        now = time.monotonic()
        if now < self._reopen_at:
            raise LockError(f"{self._options.device}: the line to the panel is not there")
        self._reopen_at = now + REOPEN_SECONDS
        line = Line(self._options.device, self._options.baud)
        self._device = _device(self._osdp, self._options.address, line, self._osdp.FLAG_ENFORCE_SECURE, self._key)
        self._ready.register(line.fd, select.EPOLLIN)
        self._line = line
        return line

    def _disconnect(self) -> None:
        self._device = None  # the device must go before its line
        if self._line is not None:
            self._line.close()
        self._line = None

    def _event(self, card: Card) -> dict[str, object]:
        return {
            "event": self._osdp.EVENT_CARDREAD,
            "reader_no": 0,
            "format": self._osdp.CARD_FMT_RAW_WIEGAND,
            "direction": 0,
            "length": card.bits,
            "data": card.data,
        }


def read_key(path: Path) -> bytes:
    """The secure channel's base key. Raises LockError when the file is missing, holds no key or the standard's default
    key, or when other users can read it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode, text = os.fstat(file).st_mode, os.read(file, 4 * KEY_BYTES)
        finally:
            os.close(file)
    except OSError as error:
        raise LockError(
            f"{path}: the panel's key cannot be read ({error.strerror}): see to its owner and rights, or make one "
            "(deploy/door.md)"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise LockError(f"{path}: others can read or change the panel's key: chmod 600 {path}, and set another key")
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise LockError(f"{path}: this is no key of a panel: it must be {2 * KEY_BYTES} hexadecimal digits")
    if key == DEFAULT_KEY:
        raise LockError(f"{path}: this is the default key of the standard, which everybody knows: set another one")
    return key


def _keep(path: Path, key: object, keys: list[bytes]) -> bool:
    """Writes the key to disk and adds it to `keys`. False if that failed. Never raises, because C code calls it."""
    if not isinstance(key, bytes) or len(key) != KEY_BYTES or key == DEFAULT_KEY:
        return False
    try:
        # The file must belong to kiosk-door and not to root: it gets the folder's owner.
        with acting_for(path.parent):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, f"{key.hex()}\n".encode("ascii"))
                os.fsync(file)
            finally:
                os.close(file)
            sync(path.parent)  # or a power cut takes the name away, and the panel keeps a key that nobody has
    except (OSError, HomeError):
        return False
    keys.append(key)
    return True


def _library() -> ModuleType:
    """Loads libosdp and limits its own log to emergencies. Raises LockError."""
    try:
        import osdp_sys  # noqa: PLC0415 - lazy import: only a panel needs it
    except ImportError as error:
        raise LockError("the osdp panel needs the Python package libosdp: pip install 'libosdp>=3.2.9'") from error
    osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
    return cast("ModuleType", osdp_sys)


def _device(osdp: ModuleType, address: int, line: Line, flags: int, key: bytes) -> Any:
    """A reader without lamp, buzzer, text or outputs. It keeps no reference to `line`, so `line` must outlive it."""
    one = {"compliance_level": 1, "num_items": 1}
    about = {
        "name": "kiosk",
        "address": address,
        "flags": flags,
        "scbk": key,
        "channel": line,
        "version": 1,
        "model": 1,
        "vendor_code": 0,
        "serial_number": 0,
        "firmware_version": 0,
    }
    capabilities = [{"function_code": code, **one} for code in (osdp.CAP_CARD_DATA_FORMAT, osdp.CAP_READERS)]
    return osdp.PeripheralDevice(about, capabilities=capabilities)
