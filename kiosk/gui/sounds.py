"""Two short tones: let in, and not. Played by aplay of alsa-utils, if it is there; otherwise silence. No Qt."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import wave
from array import array
from contextlib import suppress

from kiosk.gui.state import Mode

RATE, VOLUME, FADE_SECONDS = 22050, 0.5, 0.01
TONES: dict[Mode, tuple[tuple[float, float], ...]] = {
    Mode.GRANTED: ((660.0, 0.12), (990.0, 0.2)),
    Mode.REFUSED: ((330.0, 0.25),),
}
"""(Hz, seconds) for each screen that has a sound: one goes up, the other is low and even."""


class Sounds:
    """Plays a tone when a screen with one begins. Never while something is typed: no such screen has one."""

    def __init__(self, wanted: bool) -> None:
        self._program = shutil.which("aplay") if wanted else None
        self._tones = {mode: tone(notes) for mode, notes in TONES.items()} if self._program is not None else {}
        """Made now: at the moment when somebody is let in, the window has other things to do."""
        self._playing: subprocess.Popen[bytes] | None = None
        self._mode: Mode | None = None

    def show(self, mode: Mode) -> None:
        """Takes the mode of the screen. Returns at once and never raises."""
        before, self._mode = self._mode, mode
        if mode is before or mode not in TONES or self._program is None:
            return
        if self._playing is not None and self._playing.poll() is None:
            return
        try:
            self._playing = subprocess.Popen(  # noqa: S603 - no shell
                [self._program, "--quiet"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            self._program = None
            return
        if self._playing.stdin is not None:
            # Less than a pipe holds: this waits for nobody. A program that has ended takes nothing.
            with self._playing.stdin as pipe, suppress(OSError):
                pipe.write(self._tones[mode])

    def close(self) -> None:
        """Ends a tone that still plays."""
        if self._playing is not None:
            self._playing.kill()
            self._playing.wait()


def tone(notes: tuple[tuple[float, float], ...]) -> bytes:
    """A WAV file, 16 bits, mono. Each note begins and ends softly."""
    samples = array("h")
    for pitch, seconds in notes:
        count = int(RATE * seconds)
        for number in range(count):
            at = min(number, count - number) / RATE
            loud = VOLUME * min(1.0, at / FADE_SECONDS)
            samples.append(int(32767 * loud * math.sin(2 * math.pi * pitch * number / RATE)))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
