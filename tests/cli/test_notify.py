"""`kiosk notify` as an admin uses it: with a kiosk-notify that works through the outbox, and without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stamina import instrumentation

from kiosk.domain.errors import NoticeRefusedError, NotifierError
from kiosk.domain.notices import Notice
from kiosk.notify import workers as notify_workers
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox
from kiosk.notify.workers import Worker

if TYPE_CHECKING:
    from tests.cli.conftest import Command


class Recorder:
    """A notifier that answers as it is told to."""

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure

    def check(self) -> None:
        pass

    def notify(self, notice: Notice) -> None:
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        pass


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(
        f'[notify]\noutbox = "{tmp_path}/outbox.db"\n'
        '[notifiers.a]\nkind = "webhook"\nalarms_only = true\n[notifiers.b]\nkind = "mqtt"\n'
    )
    return path


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """The working part of kiosk-notify, in this process."""
    monkeypatch.setattr(notify_workers, "IDLE_SECONDS", 0.02)
    instrumentation.set_on_retry_hooks([])
    with claimed(tmp_path / "outbox.db"):
        outbox = Outbox(tmp_path / "outbox.db", "main", 10, {"a": True, "b": False})
        outbox.forget_removed_notifiers()
        workers: list[Worker] = []

        def start(**failures: Exception | None) -> None:
            for name, failure in failures.items():
                workers.append(Worker(name, Recorder(failure), outbox, retry_seconds=0.02))
                workers[-1].start()

        yield start
        for worker in workers:
            worker.stop()
            worker.join(30)
        outbox.close()
    instrumentation.set_on_retry_hooks(None)


def test_notify_test_reports_that_the_notice_arrived(
    kiosk: Command, configuration: Path, serve: Callable[..., None]
) -> None:
    serve(a=None, b=None)
    result = kiosk("notify", "test", "--config", configuration)
    assert result.status == 0
    assert [line.split() for line in result.out] == [["a", "delivered"], ["b", "delivered"]]
    status = kiosk("notify", "status", "--json", "--config", configuration)
    assert status.status == 0
    assert status.rows == [{"notifier": n, "waiting": 0, "dropped": 0, "trouble": None} for n in "ab"]


def test_notify_test_reports_that_the_notice_did_not_arrive(
    kiosk: Command, configuration: Path, serve: Callable[..., None]
) -> None:
    serve(a=NoticeRefusedError("answered 400"), b=NotifierError("no connection to the broker"))
    result = kiosk("notify", "test", "--json", "--timeout", "1", "--config", configuration)
    assert result.status == 1
    assert result.rows == [
        {"notifier": "a", "delivered": False, "error": "not taken: refused, or dropped for want of room"},
        {"notifier": "b", "delivered": False, "error": "no connection to the broker"},
    ]
    status = kiosk("notify", "status", "--config", configuration)
    assert status.status == 1
    assert "1 waiting  0 dropped  no connection to the broker" in status.out[1]
    doctor = kiosk("doctor", "--json", "--config", configuration)
    found = {row["what"] for row in doctor.checks if row["name"] == "notify"}
    assert "b: no connection to the broker; 1 waiting, 0 dropped" in found


def test_bad_input_is_one_line(kiosk: Command, configuration: Path, tmp_path: Path) -> None:
    for command in ("status", "test"):
        result = kiosk("notify", command, "--config", configuration)
        assert (result.status, len(result.err)) == (2, 1)
        assert "kiosk-notify does not run" in result.err[0]
        (tmp_path / "empty.toml").write_text("")
        result = kiosk("notify", command, "--config", tmp_path / "empty.toml")
        assert (result.status, len(result.err)) == (2, 1)
        assert "there is no [notifiers.NAME]" in result.err[0]
    assert not (tmp_path / "outbox.db").exists()


def test_doctor_says_when_nobody_is_told(kiosk: Command, configuration: Path) -> None:
    doctor = kiosk("doctor", "--json", "--config", configuration)
    (found,) = [row for row in doctor.checks if row["name"] == "notify"]
    assert found["state"] == "problem"
    assert "kiosk-notify does not run" in str(found["what"])
