"""Two tones, and silence in between."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Self

import pytest

from kiosk.gui import sounds
from kiosk.gui.sounds import Sounds
from kiosk.gui.state import Mode


class Played:
    """Stands for aplay."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self.closed = 0

    def __call__(self, command: list[str], **_: object) -> Played:
        self.stdin = self
        return self

    def write(self, file: bytes) -> None:
        self.files.append(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def kill(self) -> None:
        pass

    def wait(self) -> int:
        return 0

    def poll(self) -> int | None:
        return 0


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    made = Played()
    monkeypatch.setattr(sounds.shutil, "which", lambda _: "/usr/bin/aplay")
    monkeypatch.setattr(sounds.subprocess, "Popen", made)
    return made


def test_only_the_end_of_a_story_is_heard_and_once(played: Played) -> None:
    said = Sounds(wanted=True)
    for mode in (Mode.IDLE, Mode.NUMBER, Mode.PIN, Mode.ASKING, Mode.GRANTED, Mode.GRANTED, Mode.IDLE, Mode.REFUSED):
        said.show(mode)
    said.close()
    assert played.files == [sounds.tone(sounds.TONES[Mode.GRANTED]), sounds.tone(sounds.TONES[Mode.REFUSED])]
    assert played.closed == 2


def test_tones_are_made_at_the_start_and_not_when_somebody_waits(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Sounds(wanted=True)

    def late(_: object) -> bytes:
        raise AssertionError("a tone is made while somebody waits")

    monkeypatch.setattr(sounds, "tone", late)
    said.show(Mode.GRANTED)
    assert len(played.files) == 1


def test_no_page_of_keys_has_a_sound() -> None:
    assert set(sounds.TONES) == {Mode.GRANTED, Mode.REFUSED}


def test_who_wants_none_hears_none(played: Played) -> None:
    Sounds(wanted=False).show(Mode.GRANTED)
    assert played.files == []


@pytest.mark.parametrize("error", [FileNotFoundError, BrokenPipeError])
def test_without_a_device_there_is_silence(monkeypatch: pytest.MonkeyPatch, error: type[OSError]) -> None:
    def gone(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sounds.shutil, "which", lambda _: "/usr/bin/aplay")
    monkeypatch.setattr(sounds.subprocess, "Popen", gone)
    Sounds(wanted=True).show(Mode.GRANTED)


def test_a_program_that_ends_at_once_harms_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "aplay"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sounds.shutil, "which", lambda _: str(program))
    said = Sounds(wanted=True)
    said.show(Mode.GRANTED)
    said.close()


@pytest.mark.parametrize("notes", sounds.TONES.values())
def test_a_tone_is_a_wave_file_that_fits_a_pipe_and_begins_softly(notes: tuple[tuple[float, float], ...]) -> None:
    file = sounds.tone(notes)
    assert len(file) < 65536
    with wave.open(io.BytesIO(file)) as read:
        assert read.getnframes() == pytest.approx(sounds.RATE * sum(seconds for _, seconds in notes), abs=4)
        assert abs(int.from_bytes(read.readframes(1), "little", signed=True)) < 100
