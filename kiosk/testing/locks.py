"""What every lock must do: fixtures `plugin` (its class) and `rig` are the subclass's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import ValidationError

from kiosk.domain.door.state import Readings
from kiosk.domain.errors import LockError
from kiosk.domain.ports.lock import Lock


@dataclass
class LockRig:
    """`levels` are those that the world saw since the lock was built; `absent` names hardware that is not there;
    `hand` does something to the door that `lock` belongs to; `inputs` is None for a lock that can have none."""

    options: dict[str, object]
    levels: Callable[[], list[str]]
    absent: dict[str, object]
    break_it: Callable[[], None]
    simulated: bool
    inputs: dict[str, object] | None
    hand: Callable[[Any, str], None]


def wired(plugin: Any, rig: LockRig) -> Any:
    """The lock with inputs."""
    if rig.inputs is None:
        pytest.skip("it has no inputs")
    return plugin(plugin.Options.model_validate(rig.options | rig.inputs))


class LockContract:
    """Subclass it as Test..., with the fixtures `plugin` and `rig`."""

    @pytest.fixture
    def plugin(self) -> Any:
        """The lock's class, with its `Options`."""
        raise NotImplementedError

    @pytest.fixture
    def rig(self) -> LockRig:
        """How it is built without its hardware, and what the world sees of it."""
        raise NotImplementedError

    @pytest.fixture
    def lock(self, plugin: Any, rig: LockRig) -> Iterator[Lock]:
        """Built, and closed at the end."""
        built: Lock = plugin(plugin.Options.model_validate(rig.options))
        yield built
        built.close()

    def test_a_lock_is_requested_at_its_secured_level_and_has_no_other_before(self, lock: Lock, rig: LockRig) -> None:
        assert rig.levels() == ["secured"]

    def test_a_lock_says_whether_it_is_simulated(self, lock: Lock, rig: LockRig) -> None:
        assert lock.simulated is rig.simulated

    def test_a_lock_releases_and_secures(self, lock: Lock, rig: LockRig) -> None:
        lock.release(5.0)
        assert rig.levels()[-1] == "released"
        lock.release(2.0)
        assert rig.levels()[-1] == "released"
        lock.secure()
        assert rig.levels()[-1] == "secured"
        lock.secure()
        assert rig.levels()[-1] == "secured"

    def test_closing_a_lock_secures_it(self, lock: Lock, rig: LockRig) -> None:
        lock.release(5.0)
        lock.close()
        assert rig.levels()[-1] == "secured"
        lock.close()

    def test_a_closed_lock_can_be_opened_again(self, plugin: Any, lock: Lock, rig: LockRig) -> None:
        lock.close()
        again = plugin(plugin.Options.model_validate(rig.options))
        again.release(1.0)
        assert rig.levels()[-1] == "released"
        again.close()

    def test_failing_hardware_raises_and_close_does_not(self, lock: Lock, rig: LockRig) -> None:
        rig.break_it()
        with pytest.raises(LockError):
            lock.release(5.0)
        lock.close()

    def test_missing_hardware_raises(self, plugin: Any, rig: LockRig) -> None:
        with pytest.raises(LockError):
            plugin(plugin.Options.model_validate(rig.absent))

    def test_options_are_checked(self, plugin: Any, rig: LockRig) -> None:
        with pytest.raises(ValidationError):
            plugin.Options.model_validate(rig.options | {"unknown": 1})

    def test_without_inputs_there_is_nothing_to_read(self, lock: Lock) -> None:
        assert lock.read() == Readings()
        assert lock.fileno() is None
        lock.sound(True)

    def test_inputs_are_read_as_levels(self, plugin: Any, rig: LockRig) -> None:
        lock = wired(plugin, rig)
        rest = Readings(open=False, rex=False, tamper=False)
        assert lock.read() == rest
        for done, undone, readings in (
            ("open", "close", replace(rest, open=True)),
            ("tamper", "restore", replace(rest, tamper=True)),
        ):
            rig.hand(lock, done)
            assert lock.read() == readings
            assert lock.read() == readings
            rig.hand(lock, undone)
            assert lock.read() == rest
        lock.close()

    def test_a_short_press_between_two_readings_is_seen_once(self, plugin: Any, rig: LockRig) -> None:
        lock = wired(plugin, rig)
        lock.read()
        rig.hand(lock, "rex")
        assert lock.read().rex is True
        assert lock.read().rex is False
        lock.close()

    def test_inputs_change_nothing_about_the_lock(self, plugin: Any, rig: LockRig) -> None:
        lock = wired(plugin, rig)
        lock.release(5.0)
        for what in ("rex", "open", "tamper", "close"):
            rig.hand(lock, what)
            lock.read()
        assert rig.levels() == ["secured", "released"]
        lock.close()
        assert rig.levels()[-1] == "secured"
