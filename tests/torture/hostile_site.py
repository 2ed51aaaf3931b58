"""The place of a hostile day: one home, one configuration, and the three processes, started again as their units do."""

from __future__ import annotations

import json
import random
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from hostile_process import Supervisor

from kiosk.demonstration import stage
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import ADA, VISITORS
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import load

SERVICES = {
    "door": ("kiosk-door", "kiosk.door.__main__:main", []),
    "kiosk": ("kiosk", "kiosk.__main__:main", ["run", "--headless", "--json"]),
    "notify": ("kiosk-notify", "kiosk.notify.__main__:main", []),
}


@dataclass
class Acknowledged:
    """What the commands said was done."""

    subjects: dict[str, bool] = field(default_factory=dict)
    """Who is enrolled, and whether they are disabled."""
    enrolled: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    """Subjects that a command was at when it was killed."""
    doubtful_enrolments: int = 0

    def remove(self, who: str) -> None:
        """Somebody is gone."""
        del self.subjects[who]
        self.removed.add(who)


@dataclass
class Site:
    """Where it all happens."""

    folder: Path
    chance: random.Random
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    violations: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    started: int = 0
    supervisors: dict[str, Supervisor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config, self.home = self.folder / "kiosk.toml", Home(self.folder / "home")
        self.pictures: dict[str, Path] = {}
        for visitor in VISITORS:
            if visitor is not ADA:
                self.pictures[visitor.name] = self.folder / f"{visitor.key}.png"
                cv2.imwrite(str(self.pictures[visitor.name]), SimulatedCamera.enrolment_picture(visitor))
        secret = self.folder / "secret"
        secret.write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        secret.chmod(0o600)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
        f = self.folder
        self.config.write_text(
            f'[kiosk]\nhome = "{self.home.folder}"\n[camera]\nkind = "simulated"\nloop = true\nfps = 5\n'
            f'[attempt]\npause = 0.2\n[lock]\nkind = "simulated"\n'
            f'[door]\nsocket = "{f}/door.sock"\nstate = "{f}/state"\nrelease_seconds = 0.5\nmax_release_seconds = 1.0\n'
            f'[notify]\noutbox = "{f}/outbox/outbox.db"\nsocket = "{f}/kiosk.sock"\n'
            f'[notifiers.nobody]\nkind = "webhook"\nurl = "https://127.0.0.1:{port}/"\nsecret_file = "{secret}"\n'
        )
        settings = stage.settings(f / "unused.sock")
        stage.enrol_visitors(settings, self.home, load(settings.models, settings.policy))
        self.names: dict[str, str] = {}
        self.learn_names()
        self.ada = next(who for who, name in self.names.items() if name == ADA.name)
        self.acknowledged.subjects = dict.fromkeys(self.names, False)
        self.acknowledged.enrolled = set(self.acknowledged.subjects)
        for name, (unit, entry, verb) in SERVICES.items():
            arguments = [*verb, "--config", str(self.config)]
            self.supervisors[name] = Supervisor(unit, entry, arguments, self.folder / f"{name}.out")

    def learn_names(self) -> None:
        """Who is who; programs are told ids only."""
        with closing(open_gallery(self.home, read_only=True, check=False)) as gallery:
            self.names |= {s.id: s.name for s in gallery.subjects()}

    def printed(self) -> list[dict[str, object]]:
        """What the kiosk said, in order; what a kill cut off is left out."""
        rows = []
        for line in self.supervisors["kiosk"].output.read_text(errors="replace").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return rows

    def decided(self) -> bool:
        """Whether the kiosk has decided something since its last start."""
        for row in reversed(self.printed()):
            if row["event"] in {"run", "decision"}:
                return row["event"] == "decision"
        return False

    def acknowledged_decisions(self) -> Iterator[dict[str, object]]:
        """Decisions that the kiosk told of while its log was in order: they are on disk."""
        trouble = False
        for row in self.printed():
            if row["event"] == "run":
                trouble = False
            elif row["event"] in {"fault", "recovered"} and row["reason"] == "audit_unavailable":
                trouble = row["event"] == "fault"
            elif row["event"] == "decision" and not trouble:
                yield row
