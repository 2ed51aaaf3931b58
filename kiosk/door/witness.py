"""kiosk-door's memory of the kiosk's gallery: which generation it was told last, kept over restarts
(domain.door.witness)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiosk.domain.door.witness import Disbelief, Witness
from kiosk.system.files import read_at_most, replace
from kiosk.system.systemd import log

LARGEST = 1 << 20
"""Bytes of the file. Some kilobytes are usual."""


class WitnessFile:
    """What is known of the gallery of each kiosk, by the number of its user. A thread writes it, because the door waits
    for no disk: a power cut forgets at most the latest change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "gallery.json"
        self._known: dict[int, Witness] | None = self._read()
        self._complained: set[int] = set()
        self._due = threading.Condition()
        self._content: bytes | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def take(self, uid: int, epoch: str, generation: int, digest: str | None = None) -> Disbelief | None:
        """Why the gallery of this user's kiosk must not be believed; None if it may."""
        if self._known is None:
            return Disbelief.UNREADABLE
        before = self._known.get(uid, Witness())
        after = before.take(epoch, generation, digest)
        if isinstance(after, Disbelief):
            if uid not in self._complained:  # once: a client could ask any number of times
                self._complained.add(uid)
                log("error", "older_gallery", uid=uid, epoch=epoch, generation=generation, because=after.value)
            return after
        self._complained.discard(uid)
        if after != before:
            self._put({**self._known, uid: after})
        return None

    def forget(self) -> None:
        """Forgets everything, so that a gallery that was put back on purpose is believed."""
        self._put({})

    def close(self) -> None:
        """Waits until all is on disk, or cannot be written."""
        with self._due:
            self._ending = True
            self._due.notify()
        self._thread.join(5.0)

    def _read(self) -> dict[int, Witness] | None:
        try:
            content = json.loads(read_at_most(self._path, LARGEST))
            return {int(uid): _witness(known) for uid, known in content.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            log("error", "gallery_memory_unreadable", file=str(self._path), error=str(error))
            return None

    def _put(self, known: dict[int, Witness]) -> None:
        self._known = known
        content = json.dumps({uid: _written(witness) for uid, witness in known.items()}).encode()
        with self._due:
            self._content = content
            self._due.notify()

    def _run(self) -> None:
        while True:
            with self._due:
                self._due.wait_for(lambda: self._ending or self._content is not None)
                content, self._content = self._content, None
                if content is None:
                    return
            try:
                replace(self._path, content)
            except OSError as error:
                log("error", "gallery_memory_not_kept", file=str(self._path), error=str(error))


def _written(witness: Witness) -> dict[str, Any]:
    """Without a digest as kiosk-door of before wrote it, so that it can read it."""
    seen = dict(witness.seen)
    return seen if witness.digest is None else {"seen": seen, "digest": witness.digest}


def _witness(known: dict[str, Any]) -> Witness:
    """The inverse of `_written`. Raises ValueError."""
    if "seen" not in known:  # no epoch has this name: they are hexadecimal
        return Witness(_checked(known))
    digest = known.get("digest")
    if not isinstance(digest, str):
        raise ValueError("it holds no digest")
    return Witness(_checked(known["seen"]), digest)


def _checked(seen: object) -> Mapping[str, int]:
    if not isinstance(seen, dict) or not all(type(number) is int for number in seen.values()):
        raise ValueError("it holds no generations")
    return seen
