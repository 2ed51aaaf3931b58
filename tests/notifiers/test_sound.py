"""The tone, and when there is none."""

from __future__ import annotations

import io
import wave
from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.domain.notices import Notice
from kiosk.notifiers.sound import RATE, SoundNotifier, alarm_tone


def test_the_tone_is_audible_and_does_not_clip() -> None:
    with wave.open(io.BytesIO(alarm_tone(0.5))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (RATE, 1, RATE // 2)
        samples = array("h", sound.readframes(RATE))
    assert 20_000 < max(samples) < 32_767
    assert -32_768 < min(samples) < -20_000


@pytest.mark.parametrize(
    ("kind", "age", "heard"),
    [
        ("door.forced_open", 0, True),
        ("door.forced_open", 3600, False),
        ("door.opened", 0, False),
        ("notify.test", 0, True),
    ],
)
def test_it_sounds_for_alarms_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, age: int, heard: bool
) -> None:
    program = tmp_path / "aplay"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\ncat > /dev/null\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    notifier = SoundNotifier(SoundNotifier.Options(seconds=0.1, device="plughw:1"))
    notifier.check()
    notifier.notify(Notice("n", kind, "main", datetime.now(UTC) - timedelta(seconds=age)))
    assert (tmp_path / "called").exists() is heard
    if heard:
        assert (tmp_path / "called").read_text() == "--quiet --device plughw:1\n"
