"""How many files somebody has to read who follows one thing through the program: three walks, counted while it runs.

    python -m tests.walks

runs the real programs (the demonstration; kiosk-door, kiosk-notify and a broker; `kiosk enrol`) with a profiler in each
of their processes, and prints the files of kiosk/ whose functions were called on the way, with their lengths. Those on
the call stack when one of LANDMARKS was reached are the way itself, marked "*"; the rest is what they call on the side,
behind a port or as a helper:

- frame: from `Pipeline.step` of the frame that granted to the record of what the door did: the kiosk's pipeline and
  database threads, and kiosk-door from the grant's packet to its answer;
- forced: from the moved contact of a simulated door to what goes to the MQTT broker: the threads that the news passes.
  Its shapes are the dataclasses and messages that the words "forced_open" were in;
- enrol: `kiosk enrol --name NAME PICTURE`, from `main` to its end, what runs while modules are imported left out.

ARCHITECTURE.md holds what it counted last. Not a test: it needs mosquitto, and half a minute of a quiet machine.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

ROOT = Path(__file__).parents[1]
PACKAGE = f"{ROOT / 'kiosk'}{os.sep}"
WORDS = "forced_open"
"""What the shapes of the second walk hold."""
LANDMARKS = frozenset(
    {
        # frame: each stage, the decision, the record, the grant, the lock, the answer
        *("FaceDetector.detect", "Gate.assess", "FusedPad.score", "FaceEmbedder.embed", "ReferenceMatrix.search"),
        *("decide", "insert", "Connection.send", "DoorMachine.grant", "SimulatedLock.release", "Clients.send"),
        # forced: the input, the news, the spool, the feed, the subscription, the outbox, the notifier
        *("SimulatedLock.move", "Passage.observe", "Spool.append", "_Writer._run", "decode_event", "Outbox.put"),
        *("MqttNotifier.notify", "_publish"),
        # enrol: the picture, the sample, whether they are enrolled already, the sealed template, the word to the user
        *("read_picture", "Enroller.already", "seal_reference", "say"),
    }
)
PATIENCE = 120.0
LONGEST = 300
"""Lines of a file, at most."""

HOOK = "from tests.walks import begin\nbegin({!r})\n"
"""The sitecustomize of each process that is watched."""


def begin(folder: str) -> None:
    """Watches this process from now on, its threads too; what it called is written at its end."""
    calls: list[tuple[float, str, str, str]] = []
    shapes: list[tuple[float, str, str]] = []
    stacks: list[tuple[float, str, str, str]] = []
    ours: dict[CodeType, str | None] = {}

    def name_of(code: CodeType) -> str | None:
        if code not in ours:
            mine = code.co_filename.startswith(PACKAGE) and code.co_name != "<module>"
            ours[code] = code.co_filename.removeprefix(PACKAGE) if mine else None
        return ours[code]

    def watch(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call":
            file = name_of(code)
            if file is not None and not importing(frame):
                calls.append((now(), threading.current_thread().name, file, code.co_qualname))
                note(frame)
                if code.co_qualname in LANDMARKS:
                    stacks.extend(on_the_stack(frame))
        elif event == "return" and code.co_name == "__init__" and name_of(code) is None:
            note(frame)  # of a dataclass or a pydantic model: made elsewhere than in its own file

    def on_the_stack(inner: FrameType) -> Iterator[tuple[float, str, str, str]]:
        frame: FrameType | None = inner
        while frame is not None:
            file = name_of(frame.f_code)
            if file is not None:
                yield now(), threading.current_thread().name, file, frame.f_code.co_qualname
            frame = frame.f_back

    def note(frame: FrameType) -> None:
        for value in [v for k, v in frame.f_locals.items() if type(v).__module__.startswith("kiosk.")]:
            shape = type(value)
            if hasattr(shape, "__dataclass_fields__") or hasattr(shape, "model_fields"):
                try:
                    held = WORDS in repr(value)
                except Exception:  # noqa: BLE001 - half made: it is looked at again when it is whole
                    continue
                if held:
                    shapes.append((now(), threading.current_thread().name, f"{shape.__module__}.{shape.__qualname__}"))

    def write() -> None:
        sys.setprofile(None)
        threading.setprofile(None)
        told = {"argv": sys.argv, "calls": list(calls), "stacks": list(stacks), "shapes": list(shapes)}
        Path(folder, f"{os.getpid()}.json").write_text(json.dumps(told))

    atexit.register(write)
    threading.setprofile(watch)
    sys.setprofile(watch)


def now() -> float:
    """The clock of all processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def importing(frame: FrameType) -> bool:
    """Whether this runs while a module is imported: nobody follows that."""
    outer = frame.f_back
    while outer is not None:
        if outer.f_code.co_name == "<module>" and outer.f_code.co_filename.startswith(PACKAGE):
            return str(outer.f_globals["__name__"]) != "__main__"
        outer = outer.f_back
    return False


@dataclass(frozen=True)
class Walk:
    """(file, function) of all that was called, the files of the way itself, and the shapes."""

    called: set[tuple[str, str]]
    way: set[str]
    shapes: frozenset[str] = frozenset()

    def __or__(self, other: Walk) -> Walk:
        return Walk(self.called | other.called, self.way | other.way, self.shapes | other.shapes)


@dataclass(frozen=True)
class Trace:
    """What one process called: (time, thread, file, function); what was on the stack at landmarks, in the same form;
    and which shapes held the words: (time, thread, name)."""

    argv: list[str]
    calls: list[tuple[float, str, str, str]]
    stacks: list[tuple[float, str, str, str]]
    shapes: list[tuple[float, str, str]]

    def within(self, begin: float, end: float, threads: Iterable[str] | None = None) -> Walk:
        """What these threads called between the two times."""
        wanted = None if threads is None else set(threads)

        def those(calls: list[tuple[float, str, str, str]]) -> set[tuple[str, str]]:
            return {(f, q) for at, t, f, q in calls if begin <= at <= end and (wanted is None or t in wanted)}

        called = those(self.calls)  # and no loop that was there before
        return Walk(called, {file for file, _ in those(self.stacks) & called})

    def times(self, function: str) -> list[float]:
        """When a function was called."""
        return [at for at, _, _, name in self.calls if name == function]


@contextmanager
def watched() -> Iterator[tuple[Path, Callable[[], list[Trace]], dict[str, str]]]:
    """A folder, what was seen once the processes have ended, and the environment of those that are to be watched."""
    with tempfile.TemporaryDirectory(prefix="walks-") as name:
        folder = Path(name)
        for part in ("hook", "traces"):
            (folder / part).mkdir()
        hook = HOOK.format(str(folder / "traces"))
        (folder / "hook" / "sitecustomize.py").write_text(hook)
        plain = {k: v for k, v in os.environ.items() if not k.startswith("KIOSK_")}
        environment = {**plain, "PYTHONPATH": str(folder / "hook"), "HOME": str(folder)}

        def traces() -> list[Trace]:
            return [Trace(**json.loads(file.read_text())) for file in sorted((folder / "traces").iterdir())]

        yield folder, traces, environment


def kiosk(*arguments: str) -> list[str]:
    """A command of the kiosk."""
    return [sys.executable, "-m", "kiosk", *arguments]


def one(traces: list[Trace], function: str) -> Trace:
    """The process that called this function."""
    (found,) = [trace for trace in traces if trace.times(function)]
    return found


def frame_walk() -> Walk:
    """The demonstration, headless, to its first grant."""
    with watched() as (folder, traces, environment):
        with subprocess.Popen(kiosk("run", "--headless"), env=environment, cwd=folder, stdout=subprocess.PIPE) as story:
            assert story.stdout is not None
            for line in story.stdout:
                if line.startswith(b"  door: released"):
                    story.terminate()
        seen = traces()
    station, door = one(seen, "Pipeline.step"), one(seen, "SimulatedLock.release")
    released = max(door.times("SimulatedLock.release"))
    begin = max(at for at in station.times("Pipeline.step") if at < released)
    end = min(at for at in station.times("Station._turn") if at > released)
    asked = max(at for at in door.times("Clients._read") if at < released)
    answered = min(at for at in door.times("Clients.send") if at > released)
    walk = station.within(begin, end, ["pipeline", "database-writer"])
    return walk | door.within(asked, answered, ["MainThread"])


def told_of(kind: str) -> Callable[[list[MQTTMessage]], bool]:
    """Whether a broker has the event, and not only the list of events that there are."""
    begin = f'{{"event_type": "{kind}"'.encode()
    return lambda messages: any(message.payload.startswith(begin) for message in messages)


def forced_walk() -> Walk:
    """A simulated door is opened; a broker is told."""
    from kiosk.domain.door.state import Hand
    from kiosk.station.door_client import DoorClient
    from tests.far_side import Broker

    with watched() as (folder, traces, environment):
        broker = Broker(folder)
        broker.start()
        broker.listen()
        file = folder / "kiosk.toml"
        file.write_text(
            f'[kiosk]\nhome = "{folder}/home"\n[lock]\nkind = "simulated"\ninputs = true\n'
            f'[door]\nsocket = "{folder}/door.sock"\nstate = "{folder}/state"\nsubscribers = ["{os.getuid()}"]\n'
            f'[notify]\noutbox = "{folder}/outbox/outbox.db"\nsocket = "{folder}/kiosk.sock"\n'
            f'[notifiers.home]\nkind = "mqtt"\nhost = "localhost"\nport = {broker.port}\ntls = false\n'
        )
        (folder / "state").mkdir()
        programs = [
            subprocess.Popen([sys.executable, "-m", f"kiosk.{name}", "--config", str(file)], env=environment)
            for name in ("door", "notify")
        ]
        try:
            broker.wait_for(
                lambda told: any(m.payload.startswith(b'{"event_type": "notify.door_reached') for m in told)
            )
            with DoorClient(folder / "door.sock") as client:
                client.simulate(Hand.OPEN, PATIENCE)
            broker.wait_for(told_of("door.forced_open"))
        finally:
            for program in programs:
                program.terminate()
                program.wait(PATIENCE)
            broker.close()
        seen = traces()
    door, notify = one(seen, "SimulatedLock.move"), one(seen, "MqttNotifier.notify")
    begin = min(door.times("SimulatedLock.move"))
    made = [at for at, _, name in notify.shapes if at > begin and name.endswith("home_assistant.Message")]
    end = min(at for at in notify.times("_publish") if at > max(made))
    walk = Walk(set(), set())
    for trace in (door, notify):
        told = [(t, name) for at, t, name in trace.shapes if begin <= at <= end]
        walk |= trace.within(begin, end, {t for t, _ in told}) | Walk(set(), set(), frozenset(n for _, n in told))
    return walk


def enrol_walk() -> Walk:
    """Somebody new, from one picture."""
    import cv2

    from kiosk.demonstration.camera import SimulatedCamera
    from kiosk.demonstration.story import VISITORS

    with watched() as (folder, traces, environment):
        cv2.imwrite(str(folder / "ada.png"), SimulatedCamera.enrolment_picture(VISITORS[0]))
        enrol = kiosk("--home", str(folder / "home"), "enrol", "--name", "Ada", str(folder / "ada.png"))
        subprocess.run(enrol, env=environment, cwd=folder, check=True, timeout=PATIENCE)
        seen = traces()
    return one(seen, "main").within(0, now())


WALKS = {"frame": frame_walk, "forced": forced_walk, "enrol": enrol_walk}


def main() -> None:
    """Prints each walk: how many files, their lines, and the functions that were called."""
    assert importlib.util.find_spec("kiosk") is not None, "run it from the root of the checkout: python -m tests.walks"
    for name in sys.argv[1:] or WALKS:
        walk = WALKS[name]()
        files = sorted({file for file, _ in walk.called})
        lines = {file: len(Path(PACKAGE, file).read_text().splitlines()) for file in files}
        on_way = sum(lines[file] for file in walk.way)
        print(f"\n{name}: {len(walk.way)} files on the way, {on_way} lines; {len(files)} called, {sum(lines.values())}")
        for file in files:
            called = sorted({function for f, function in walk.called if f == file and "<" not in function})
            long = f" LONGER THAN {LONGEST}" if lines[file] > LONGEST else ""
            print(f"{'*' if file in walk.way else ' '} {lines[file]:4}{long} {file}\n         {', '.join(called)}")
        if walk.shapes:
            print(f"  {len(walk.shapes)} shapes: {', '.join(sorted(walk.shapes))}")


if __name__ == "__main__":
    main()
