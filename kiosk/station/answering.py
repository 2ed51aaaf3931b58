"""Serves the control socket of the running kiosk, with a connection of its own to the gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from kiosk.config import Config
from kiosk.station.control import serving
from kiosk.station.desk import RegisterDesk
from kiosk.station.enrolment import Enrolment
from kiosk.station.upkeep import Upkeep
from kiosk.station.visits import StudyDesk
from kiosk.storage.database import open_database
from kiosk.storage.erasure import erase, keeping
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault


@contextmanager
def answering(
    config: Config,
    home: Home,
    vault: Vault,
    compared: tuple[str, ...],
    enrolment: Callable[[Gallery], Enrolment],
) -> Iterator[None]:
    """Serves the control socket, if one is configured, with a connection of its own to the gallery. `compared`: the
    model_ids whose references are compared, that of the embedder first."""
    if config.control.socket is None:
        yield
        return
    kept = keeping(config)
    erasure = partial(erase, home, keeping=kept)
    store = open_database(home.database, check=False)
    with (
        closing(Gallery(store, vault)) as gallery,
        serving(
            config.control,
            home,
            StudyDesk(
                RegisterDesk(
                    gallery, compared, enrolment, erasure, Upkeep(home, gallery, kept), config.consent.required
                ),
                gallery,
            ),
        ),
    ):
        yield
