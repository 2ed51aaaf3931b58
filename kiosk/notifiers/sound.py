"""A tone through the machine's loudspeaker, played by aplay of alsa-utils.

An alarm that matters must use the door's own sounder (kiosk-door), which works when everything else is down.
"""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import wave
from array import array
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import TEST, Notice

RATE = 22050
"""Samples a second."""
HIGH, LOW, BEAT = 880.0, 660.0, 0.25
"""Two alternating tones (Hz), and how long each lasts (s)."""
VOLUME = 0.8
GRACE_SECONDS = 5.0
STALE_SECONDS = 60.0
"""An older alarm makes no sound any more."""


class SoundNotifier:
    """Plays a tone for the configured kinds of notices."""

    class Options(BaseModel):
        """[notifiers.NAME] with kind = "sound"."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        kinds: tuple[str, ...] = ("door.forced_open", "door.held_open", "door.tamper")
        seconds: Annotated[float, Field(gt=0, le=30)] = 3.0
        device: str | None = None
        """A name from `aplay -L`; None is the default device."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._command: list[str] = []

    def check(self) -> None:
        """Raises NotifierError when there is no aplay."""
        program = shutil.which("aplay")
        if program is None:
            raise NotifierError("the sound notifier needs aplay: sudo apt-get install alsa-utils")
        self._command = [program, "--quiet"] + (["--device", self._options.device] if self._options.device else [])

    def notify(self, notice: Notice) -> None:
        """Raises NotifierError when the sound cannot be played."""
        old = (datetime.now(UTC) - notice.wall_at).total_seconds() > STALE_SECONDS
        if old or notice.kind not in {*self._options.kinds, TEST}:
            return
        tone = alarm_tone(self._options.seconds)
        limit = self._options.seconds + GRACE_SECONDS
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and no text of the notice in it
                self._command, input=tone, capture_output=True, timeout=limit, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotifierError(f"the sound cannot be played: {error}") from error
        if done.returncode != 0:
            why = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NotifierError(f"the sound cannot be played: {why[-1] if why else done.returncode}")

    def close(self) -> None:
        """Never raises."""


def alarm_tone(seconds: float) -> bytes:
    """A WAV file with two alternating tones, 16 bits, mono."""
    samples = array("h")
    for number in range(int(RATE * seconds)):
        at = number / RATE
        pitch = HIGH if int(at / BEAT) % 2 == 0 else LOW
        samples.append(int(32767 * VOLUME * math.sin(2 * math.pi * pitch * at)))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
