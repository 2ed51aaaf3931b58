"""`kiosk bench`: measures how fast this machine is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import count, cycle, islice
from pathlib import Path

import click

from kiosk.cameras.sources import stills
from kiosk.cli import bench_pin
from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.numbers import Finite
from kiosk.domain.errors import ModelError
from kiosk.domain.face import Image
from kiosk.evaluation.benchmarks import door as door_timing
from kiosk.evaluation.benchmarks import frame as timing
from kiosk.evaluation.benchmarks import gallery as gallery_timing
from kiosk.evaluation.benchmarks import idle as idle_timing
from kiosk.evaluation.benchmarks import notify as notify_timing
from kiosk.evaluation.benchmarks.frame import Contest, Times, Timing
from kiosk.evaluation.benchmarks.gallery import FAISS, NUMPY, OURS
from kiosk.evaluation.benchmarks.gui import BLOCK
from kiosk.sections import ModelsConfig
from kiosk.station import assembly
from kiosk.station.pipeline import Pipeline
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load, load_cohort


@click.command()
@click.option("--against", type=click.Path(dir_okay=False, path_type=Path), help="Another embedder, timed in turns.")
@click.option("--frames", "wanted", type=click.IntRange(10, 100_000), default=300, show_default=True)
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="A clip or a folder of pictures instead of the demonstration's scene.",
)
@click.option(
    "--door", is_flag=True, help="Time kiosk-door instead: its start, its memory, from a decision to the relay."
)
@click.option(
    "--notify", is_flag=True, help="With and without notifiers that reach nobody: frame rate, outbox, audit log."
)
@click.option(
    "--idle",
    is_flag=True,
    help="What the kiosk takes of a core before an empty room and with visitors, headless and with its window.",
)
@click.option(
    "--gui",
    is_flag=True,
    help="What the window costs recognition, and the time from a face in the guide to a decision.",
)
@click.option("--visits", type=click.IntRange(2, 10_000), default=40, show_default=True, help="Of --gui.")
@click.option(
    "--pin", is_flag=True, help="Whether the time of an answer tells whose number exists, or a PIN typed under duress."
)
@click.option("--runs", type=click.IntRange(10, 100_000), default=2000, show_default=True, help="Of --pin, each kind.")
@click.option("--seconds", type=Finite(1, 3600), default=20, show_default=True, help="Of --idle, each.")
@click.option(
    "--gallery",
    type=click.IntRange(1, 5_000_000),
    help="So many random references instead: to load them, their memory, a search beside numpy alone and faiss.",
)
@config_option
@json_option
@click.pass_context
def bench(
    ctx: click.Context,
    against: Path | None,
    wanted: int,
    source: Path | None,
    door: bool,
    notify: bool,
    idle: bool,
    gui: bool,
    visits: int,
    pin: bool,
    runs: int,
    seconds: float,
    gallery: int | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Measures the time from a 640x480 frame to a decision.

    Counts only frames that pass every stage, and searches among 1,000 references. The time to the first decision is
    that of this process, with Python's own start. The last line is one JSON object. Exit status 1 when --notify lost
    something that must not be lost, when the window of --gui cost more than 10% of the rate or decisions came too late,
    when --idle used more than a tenth of a core (15% with the window), or when the time of --pin tells something.
    """
    if door:
        _door(wanted, as_json)
        return
    if pin:
        ctx.exit(0 if bench_pin.measure(runs, as_json) else 1)
    config = settings(config_file)
    if idle:
        ctx.exit(0 if _idle(config.models, seconds, as_json) else 1)
    if gallery:
        _gallery(config.models, gallery, wanted, as_json)
        return
    if against and not against.is_file():
        raise ModelError(f"{against}: there is no such file")
    models = load(config.models, config.policy)
    way = timing.pipeline(config, models, assembly.gate(config.quality, models))
    if notify:
        ctx.exit(0 if _notify(way, _images(source), wanted, as_json) else 1)
    if gui:
        from kiosk.cli.bench_window import measure  # noqa: PLC0415 - loads the window

        blocks = -(-wanted // BLOCK)
        scene = timing.frames(cycle(list(islice(_images(source), 120))))
        ctx.exit(0 if measure(way, scene, blocks, visits, config.screen, as_json) else 1)
    taken = timing.measure(way, timing.frames(_images(source)), wanted)
    contest = timing.contest(config, against, wanted) if against else None
    if not as_json:
        _print(taken, contest, config.models.threads)
    emit(_row(taken, contest, against))


def _door(grants: int, as_json: bool) -> None:
    taken = door_timing.measure(grants)
    if not as_json:
        say(f"{taken.start_to_secured:.2f} s from the start of kiosk-door to the lock's safe level")
        say(f"{taken.start_to_ready:.2f} s to its first answer, {taken.rss_mb:.0f} MiB of memory")
        say(f"{taken.relay_p50:.2f} ms (p50), {taken.relay_p99:.2f} ms (p99) from the record to the relay")
    emit(
        {
            "start_to_secured_s": round(taken.start_to_secured, 3),
            "start_to_ready_s": round(taken.start_to_ready, 3),
            "rss_mb": round(taken.rss_mb, 1),
            "record_to_relay": {"p50_ms": round(taken.relay_p50, 3), "p99_ms": round(taken.relay_p99, 3)},
            "grants": taken.grants,
        }
    )


def _gallery(models: ModelsConfig, references: int, searches: int, as_json: bool) -> None:
    manifest = Manifest(models.folder or default_folder())
    cohort = load_cohort(manifest, manifest.entry(models.embedder, EmbedderEntry))
    taken = gallery_timing.measure(references, searches, cohort)
    if not as_json:
        if taken.load is not None:
            say(f"{taken.load:.2f} s to load {references} sealed references")
        else:
            say(f"more than {gallery_timing.SEALED} references are not sealed on disk first: no time to load them")
        say(
            f"{taken.memory / 2**20:.0f} MiB of memory, {taken.memory / references:.0f} bytes a reference; "
            f"{taken.peak / 2**20:.0f} MiB at most while they were loaded"
        )
        say(f"{'':10}{'p50':>9}{'p99':>9}  ms a search, {searches} in turns ({taken.kernel} products, one thread)")
        for name, times in taken.searches.items():
            ratio = taken.ratio(name)
            beside = "" if name == OURS or ratio is None else f"  the kiosk takes {ratio:.2f} times as long"
            say(f"{name:10}{times.p50:9.3f}{times.p99:9.3f}{beside}")
        if FAISS not in taken.searches:
            say("faiss is not installed, so nothing is compared with it: pip install faiss-cpu")
    emit(
        {
            "references": references,
            "kernel": taken.kernel,
            "load_s": None if taken.load is None else round(taken.load, 3),
            "memory_mb": round(taken.memory / 2**20, 1),
            "peak_mb": round(taken.peak / 2**20, 1),
            "bytes_a_reference": round(taken.memory / references, 1),
            "searches": searches,
            "search": {name: _times(times) for name, times in taken.searches.items()},
            "ratio": {name: None if (r := taken.ratio(name)) is None else round(r, 4) for name in (NUMPY, FAISS)},
        }
    )


def _idle(models: ModelsConfig, seconds: float, as_json: bool) -> bool:
    """Whether the idle kiosk uses no more than the limit."""
    taken = {name: idle_timing.measure(models, name == "window", seconds) for name in ("headless", "window")}
    # With somebody there most of the time. No limit: whoever stands there wants an answer.
    busy = {f"{name}_visited": idle_timing.measure(models, name == "window", seconds, True) for name in taken}
    most = {"headless": idle_timing.MOST_HEADLESS, "window": idle_timing.MOST_WINDOW}
    if not as_json:
        for name, found in taken.items():
            threads = sorted(found.threads.items(), key=lambda used: -used[1])
            told = ", ".join(f"{thread} {used:.1%}" for thread, used in threads if used >= 0.001)
            say(f"{name:9}{found.share:6.1%} of a core before an empty room (at most {most[name]:.0%}): {told}")
        for name, found in busy.items():
            parts = f"recognising {found.threads[idle_timing.PIPELINE]:.1%}, preview and the rest {_others(found):.1%}"
            say(f"{name:17}{found.share:6.1%} of a core with visitors: {parts}")
    rows: dict[str, Row] = {
        name: {"share": round(f.share, 4), "threads": {t: round(used, 4) for t, used in f.threads.items()}}
        for name, f in (taken | busy).items()
    }
    good = all(found.share <= most[name] for name, found in taken.items())
    emit({**rows, "good": good})
    return good


def _others(found: idle_timing.Idle) -> float:
    return found.share - found.threads[idle_timing.PIPELINE] - found.threads.get("camera", 0.0)


def _notify(way: Pipeline, images: Iterator[Image], frames: int, as_json: bool) -> bool:
    """Whether nothing was lost that must not be lost."""
    # The pictures are drawn before and used repeatedly: kiosk-notify must not gain time while a picture is drawn.
    scene = cycle(list(islice(images, 4 * notify_timing.BLOCK)))
    taken = notify_timing.measure(way, timing.frames(scene), frames)
    if not as_json:
        say(
            f"{taken.without:.1f} frames a second without notifiers, {taken.beside:.1f} beside two that reach nobody: "
            f"{taken.ratio:.3f} of it"
        )
        say(f"{taken.cpu_without:.2f} ms of CPU a frame without, {taken.cpu_beside:.2f} beside them")
        for name, kept in taken.kept.items():
            say(
                f"{name}: {kept.waiting} notices wait (room for {taken.capacity}), {kept.dropped} dropped"
                f"{'' if kept.told else ' (NOT told)'}, {'in order' if kept.in_order else 'NOT in order'}, "
                f"the fault {'kept' if kept.alarm else 'LOST'}"
            )
        say(f"audit log: {taken.recorded} of {taken.decisions} decisions, in order")
    emit(
        {
            "without_fps": round(taken.without, 2),
            "beside_fps": round(taken.beside, 2),
            "ratio": round(taken.ratio, 4),
            "cpu_without_ms": round(taken.cpu_without, 3),
            "cpu_beside_ms": round(taken.cpu_beside, 3),
            "frames": taken.frames,
            "decisions": taken.decisions,
            "recorded": taken.recorded,
            "capacity": taken.capacity,
            "outboxes": {name: asdict(kept) for name, kept in taken.kept.items()},
            "good": taken.good,
        }
    )
    return taken.good


def _images(source: Path | None) -> Iterator[Image]:
    """The pictures of the source or of the demonstration, repeated without end."""
    for _ in count():
        yield from (still.image for still in stills(source)) if source else timing.scene()


def _print(taken: Timing, contest: Contest | None, threads: int) -> None:
    say(f"{'':10}{'p50':>9}{'p99':>9}  ms, {taken.frames} frames of 640x480, {threads} threads")
    for name, times in [*taken.stages.items(), ("frame", taken.step)]:
        say(f"{name:10}{times.p50:9.2f}{times.p99:9.2f}")
    say(f"{taken.fps:.1f} frames a second")
    say(f"{taken.first_decision:.2f} s from the start of the process to the first decision")
    say(f"{taken.rss_mb:.0f} MiB of memory")
    if contest:
        say(f"embedder alone: {contest.ours:.2f} ms a run, the other {contest.other:.2f} ms, ratio {contest.ratio:.2f}")
        if contest.runs > 1:
            say(f"a template takes {contest.runs} runs: the face and its mirror image")


def _row(taken: Timing, contest: Contest | None, against: Path | None) -> Row:
    return {
        "stages": {name: _times(times) for name, times in taken.stages.items()},
        "step": _times(taken.step),
        "frames": taken.frames,
        "fps": round(taken.fps, 2),
        "start_to_first_decision_s": round(taken.first_decision, 2),
        "rss_mb": round(taken.rss_mb, 1),
        "against": {
            "file": str(against),
            "ours_ms": round(contest.ours, 4),
            "other_ms": round(contest.other, 4),
            "ratio": round(contest.ratio, 4),
            "runs_a_template": contest.runs,
        }
        if contest
        else None,
    }


def _times(times: Times) -> Row:
    return {"p50_ms": round(times.p50, 3), "p99_ms": round(times.p99, 3)}
