"""`kiosk calibrate`: finds thresholds for one site's own camera."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk.cameras.sources import stills
from kiosk.cli.asking import ask
from kiosk.cli.calibrate_faces import faces
from kiosk.cli.console import Row, complain, config_option, emit, json_option, pass_home, say, settings
from kiosk.cli.evaluate.common import check_outputs, number, percent, rate_line, report_option, write_report
from kiosk.cli.numbers import Finite
from kiosk.config import Config
from kiosk.domain.errors import HomeBusyError, SampleError, os_trouble
from kiosk.domain.face import Frame
from kiosk.domain.plain_text import one_line
from kiosk.evaluation.calibration import BONA_FIDE, Advice, Counted, Presentation, advise, count, present
from kiosk.station import assembly
from kiosk.storage.home import Home
from kiosk.vision.models import Models, load

LONGEST_NAME = 40
FRAME_SECONDS = 3.0
"""After this time without a picture the camera has failed."""
BONA_FIDE_FOLDER = "bona-fide"


@click.group()
def calibrate() -> None:
    """What is measured at this site: before its own camera, and with its own people."""


calibrate.add_command(faces)


@calibrate.command()
@click.option(
    "--attempts",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="So many presentations of people, and of each species of attack.",
)
@click.option(
    "--bpcer",
    type=Finite(0, 0.5),
    default=0.05,
    show_default=True,
    help="The share of people's attempts that the threshold may refuse.",
)
@click.option(
    "--clips",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Recordings in place of the camera: FOLDER/bona-fide and FOLDER/SPECIES with a clip, or a folder of pictures, "
    "for each presentation.",
)
@click.option("--write", is_flag=True, help="Print the lines for the configuration. No file is changed.")
@report_option
@config_option
@json_option
@pass_home
def pad(
    home: Home,
    attempts: int,
    bpcer: float,
    clips: Path | None,
    write: bool,
    report: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Measures presentation attack detection with the prints and screens of this site.

    Asks for people and for attacks, one after another. It watches each for 10 s, or until 15 frames were usable, with
    the quality gate and the PAD networks of the kiosk. It keeps scores, never pictures. An attempt passes with 3 usable
    frames in a row that PAD lets through. At the end it shows how many attacks passed (APCER, for each species) and how
    many people did not (BPCER), with Clopper and Pearson's 95% intervals. Then it suggests a threshold: not below the
    manifest's, refusing at most --bpcer of the people's attempts, and letting the fewest attacks pass.

    The kiosk must not run meanwhile, because it uses the camera. Exit status 1 if no such threshold keeps --bpcer.
    """
    check_outputs(None, report)
    config = settings(config_file)
    models = load(config.models, config.policy)
    session = Session(config, models, (lambda _: None) if as_json else say)
    if clips is not None:
        found = list(session.recorded(clips))
    else:
        with _alone(home):
            found = list(session.asked(attempts))
    if not any(p.species == BONA_FIDE and p.strength is not None for p in found):
        raise SampleError(
            "nobody gave 3 usable frames: see to the light and the distance (`kiosk doctor`), and try again"
        )
    advice = advise(found, _least(models), bpcer)
    row = _row(found, models, advice)
    if report:
        write_report(report, row)
    if as_json:
        emit(row)
    else:
        say(*_lines(found, config, models), *_suggestion(models, advice, bpcer))
        if write:
            say(*_configuration(models, advice))
    click.get_current_context().exit(0 if advice.threshold is not None else 1)


class Session:
    """Gets presentations with the help of a person at the terminal, or from recordings. Drops each picture after
    use."""

    def __init__(self, config: Config, models: Models, tell: Callable[[str], None]) -> None:
        self._config = config
        self._models = models
        self._gate = assembly.gate(config.quality, models)
        self._tell = tell

    def asked(self, attempts: int) -> Iterator[Presentation]:
        """Presentations to the camera, which the terminal asks for. Raises CameraError, click.Abort."""
        yield from self._several(attempts, BONA_FIDE, "stand before the camera as at the door")
        while species := _species():
            yield from self._several(attempts, species, "hold it before the camera as somebody would at the door")

    def recorded(self, folder: Path) -> Iterator[Presentation]:
        """Presentations from recordings, stored as FOLDER/SPECIES/PRESENTATION. Raises SampleError."""
        for species in _entries(folder):
            name = BONA_FIDE if species.name == BONA_FIDE_FOLDER else species.name
            for k, source in enumerate(_entries(species), 1):
                yield self._look(f"{name} {k}", name, _played(source))

    def _several(self, attempts: int, species: str, what: str) -> Iterator[Presentation]:
        for k in range(1, attempts + 1):
            ask(f"{species} {k} of {attempts}: {what}, and press Enter")
            with closing(_pictures(self._config)) as frames:
                yield self._look(f"{species} {k}", species, frames)

    def _look(self, title: str, species: str, frames: Iterator[Frame]) -> Presentation:
        models, config = self._models, self._config
        made = present(species, frames, models.detector, self._gate, models.pad, config.quality.min_face)
        why = f" (of others: {made.hindrance.replace('_', ' ')})" if made.hindrance else ""
        outcome = "too few, not counted"
        if made.strength is not None:
            outcome = "PAD lets it through" if made.strength >= models.pad.threshold else "PAD denies it"
            outcome += f"; it passes up to a threshold of {made.strength:.4f}"
        self._tell(f"{title}: {len(made.scores)} usable frames{why}: {outcome}")
        return made


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """While the block runs, no kiosk of this home can start. Raises HomeError."""
    if not home.folder.exists():
        yield
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(home.lock())
        except HomeBusyError as error:
            raise HomeBusyError(
                "the kiosk runs and has the camera: stop it first (systemctl stop kiosk), and start it again afterwards"
            ) from error
        yield


def _species() -> str:
    """Asks for the name of the next species; empty if there are no more."""
    while True:
        name = " ".join(ask("What is held before it next (phone, tablet, print...)? Enter alone: that was all").split())
        if name == one_line(name) and len(name) <= LONGEST_NAME and name != BONA_FIDE:
            return name
        complain(f"a name of {LONGEST_NAME} printable characters at most, and not {BONA_FIDE}")


def _pictures(config: Config) -> Generator[Frame]:
    """Frames of the camera. Opens it again, so that no frame is older than the call. Raises CameraError."""
    camera = assembly.camera(config.camera)
    try:
        camera.open()
        while True:
            yield camera.read(FRAME_SECONDS)
    except EOFError:
        return
    finally:
        camera.close()


def _played(source: Path) -> Iterator[Frame]:
    return (Frame(still.image, still.number, still.at, datetime.now(UTC)) for still in stills(source))


def _entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted, without hidden ones. Raises SampleError."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SampleError(os_trouble(error)) from error
    if not found:
        raise SampleError(f"{folder}: the folder is empty")
    return found


def _counts(found: Sequence[Presentation], threshold: float) -> dict[str, Counted]:
    """The counts of each species, people first."""
    names = sorted({p.species for p in found}, key=lambda name: (name != BONA_FIDE, name))
    return {name: count([p for p in found if p.species == name], threshold) for name in names}


def _lines(found: Sequence[Presentation], config: Config, models: Models) -> Iterator[str]:
    pad = models.pad
    yield f"{', '.join(config.models.pad)} at threshold {pad.threshold:.4f}; the manifest's is {pad.measured:.4f}"
    for name, counted in _counts(found, pad.threshold).items():
        rate = "BPCER" if name == BONA_FIDE else "APCER"
        yield f"{name}: {rate} {rate_line(counted.attempts)} attempts; {_share(counted)} of their frames"
        if counted.silent:
            yield f"  {counted.silent} with fewer than 3 usable frames: the door stays closed, PAD was not asked"


def _share(counted: Counted) -> str:
    """A share of frames. It has no interval, because the frames of one presentation are not independent."""
    return percent(counted.frames.rate) if counted.frames.trials else "none"


def _least(models: Models) -> float:
    """The lowest threshold that may be suggested: the manifest's, or a stricter one that is configured."""
    return max(models.pad.measured, models.pad.threshold)


def _suggestion(models: Models, advice: Advice, bpcer: float) -> Iterator[str]:
    least, bound = _least(models), percent(bpcer)
    whose = "manifest's" if least == models.pad.measured else "configured"
    did = f"{advice.passed} of {advice.attacks} attacks pass, {advice.refused} of {advice.people} people are refused"
    if advice.threshold is None:
        yield (
            f"no threshold is suggested: at the {whose} {least:.4f}, the least that is allowed, {did}: more than "
            f"{bound}. See to the light, the distance and the camera; a laxer one lets attacks in"
        )
    elif advice.threshold == least:
        yield f"suggested: the {whose} {least:.4f}: {did}; none that refuses at most {bound} does better"
    else:
        yield f"suggested: {advice.threshold:.4f}, stricter than the {whose} {least:.4f}: {did}"
    if not advice.attacks:
        yield "no attack was presented: nothing is known of what passes"
    if advice.passed:
        yield "what passes here passes at the door: a face alone is not enough at this site"


def _configuration(models: Models, advice: Advice) -> Iterator[str]:
    """The lines to put into the configuration."""
    if advice.threshold is None or not advice.attacks:
        yield "# nothing to put into the configuration"
    elif advice.threshold == models.pad.measured:
        yield "# [policy]: no pad_threshold, so that the manifest's holds"
    else:
        yield from ("[policy]", f"pad_threshold = {advice.threshold!r}")


def _row(found: Sequence[Presentation], models: Models, advice: Advice) -> Row:
    pad = models.pad
    return {
        "threshold": pad.threshold,
        "measured": pad.measured,
        "suggested": advice.threshold,
        "attacks": advice.attacks,
        "passed_at_suggested": advice.passed,
        "bona_fides": advice.people,
        "refused_at_suggested": advice.refused,
        "species": {
            name: {
                "attempts": c.attempts.trials,
                "errors": c.attempts.errors,
                "rate": number(c.attempts.rate),
                "low": number(c.attempts.low),
                "high": number(c.attempts.high),
                "frame_rate": number(c.frames.rate),
                "without_enough_frames": c.silent,
            }
            for name, c in _counts(found, pad.threshold).items()
        },
    }
