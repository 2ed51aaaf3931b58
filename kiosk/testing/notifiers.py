"""What every notifier must do: fixtures `plugin` (its class) and `rig` are the subclass's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from kiosk.domain.door.events import DoorEventKind
from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import KINDS, Notice, Notifier
from kiosk.notifiers.conditions import Condition

PATIENCE = 60.0
"""Seconds that a notifier may take to reach the other side."""


def notice(name: str, kind: str = f"door.{DoorEventKind.FORCED_OPEN}") -> Notice:
    return Notice(name, kind, "main", datetime.now(UTC), urgent=True)


@dataclass
class NotifierRig:
    """`told(name)`: the world sees by now that the door was forced, by the notice of this name; it may wait for that.

    `away` and `back`: the other side is not there, is there again. `wrong` are options that the self-check must refuse,
    after `spoil` has done what it does to this machine. `remote`: the other side is another machine or process, which
    the self-check must not need.
    """

    options: dict[str, object]
    told: Callable[[str], bool]
    wrong: dict[str, object]
    away: Callable[[], None]
    back: Callable[[], None]
    remote: bool = True
    spoil: Callable[[], None] = lambda: None


def made(plugin: Any, options: dict[str, object]) -> Notifier:
    """As kiosk-notify makes one, from a section's own keys."""
    built: Notifier = plugin(plugin.Options.model_validate(options))
    return built


def until_delivered(notifier: Notifier, news: Notice) -> None:
    """As a worker does, but without pauses: a broker's connection takes a moment."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            notifier.notify(news)
        except NotifierError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


class NotifierContract:
    """Subclass it as Test..., with the fixtures `plugin` and `rig`."""

    @pytest.fixture
    def plugin(self) -> Any:
        """The notifier's class, with its `Options`."""
        raise NotImplementedError

    @pytest.fixture
    def rig(self) -> NotifierRig:
        """How it is built, and how the other side is looked at."""
        raise NotImplementedError

    @pytest.fixture
    def notifier(self, plugin: Any, rig: NotifierRig) -> Iterator[Notifier]:
        """Built, and closed at the end."""
        built = made(plugin, rig.options)
        yield built
        built.close()

    def test_a_notifier_delivers_a_notice(self, notifier: Notifier, rig: NotifierRig) -> None:
        notifier.check()
        until_delivered(notifier, notice("n1"))
        assert rig.told("n1")

    def test_a_notifier_takes_every_kind_of_notice_also_twice(self, notifier: Notifier, rig: NotifierRig) -> None:
        notifier.check()
        for kind in KINDS:
            until_delivered(notifier, notice(kind, kind))
        until_delivered(notifier, notice("n1"))
        until_delivered(notifier, notice("n1"))
        assert rig.told("n1")

    def test_a_notifier_raises_while_the_other_side_is_away_and_works_again_after(
        self, notifier: Notifier, rig: NotifierRig
    ) -> None:
        notifier.check()
        until_delivered(notifier, notice("n0", "door.opened"))
        rig.away()
        with pytest.raises(NotifierError):
            notifier.notify(notice("n1"))
        rig.back()
        until_delivered(notifier, notice("n1"))
        assert rig.told("n1")

    def test_a_notifier_shows_conditions_that_began_before_its_start(
        self, notifier: Notifier, rig: NotifierRig
    ) -> None:
        knows = getattr(notifier, "knows", None)
        if knows is None:
            pytest.skip("it tells news only")
        knows(lambda: {Condition.FORCED_OPEN: True})
        notifier.check()
        until_delivered(notifier, notice("n1", "kiosk.refused"))
        assert rig.told("n1")

    def test_a_notifiers_self_check_does_not_need_the_other_side(self, rig: NotifierRig, notifier: Notifier) -> None:
        if not rig.remote:
            pytest.skip("there is no other side")
        rig.away()
        notifier.check()
        with pytest.raises(NotifierError):
            notifier.notify(notice("n1"))

    def test_a_notifiers_self_check_finds_local_faults(self, plugin: Any, rig: NotifierRig) -> None:
        rig.spoil()
        broken = made(plugin, rig.wrong)
        with pytest.raises(NotifierError):
            broken.check()
        broken.close()

    def test_a_notifier_can_be_closed_at_any_time_and_twice(self, plugin: Any, rig: NotifierRig) -> None:
        made(plugin, rig.options).close()
        used = made(plugin, rig.options)
        used.check()
        used.close()
        used.close()

    def test_options_are_checked(self, plugin: Any, rig: NotifierRig) -> None:
        with pytest.raises(ValidationError):
            plugin.Options.model_validate(rig.options | {"unknown": 1})
