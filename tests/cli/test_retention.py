"""`kiosk retention`: who has left long ago is erased, old records are cut, and a wrong clock erases nobody."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command
from tests.storage.conftest import a_reference

NOW = datetime.now(UTC)


@pytest.fixture
def people(home: Path) -> dict[str, str]:
    """Old left 40 days ago, Young yesterday, Always may come."""
    with closing(open_gallery(Home(home))) as gallery:
        return {
            gallery.add_subject(
                name, [a_reference(n)], valid_until=None if days is None else NOW - timedelta(days=days)
            ).id: name
            for n, (name, days) in enumerate([("Old", 40), ("Young", 1), ("Always", None)])
        }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text("[retention]\nended_days = 30\nlog_days = 365\n")
    return path


def names(kiosk: Command) -> list[object]:
    return [row["name"] for row in kiosk("subjects", "list", "--json").rows]


def test_a_dry_run_says_it_and_the_other_does_it(kiosk: Command, people: dict[str, str], config: Path) -> None:
    old = next(who for who, name in people.items() if name == "Old")
    said = kiosk("retention", "--dry-run", "--config", config)
    assert said.out[0].startswith(f"would be erased: {old}")
    assert kiosk("retention", "--dry-run", "--json", "--config", config).rows[0] == {
        "subject": old, "would_be_erased": True,
    }  # fmt: skip
    assert names(kiosk) == ["Old", "Young", "Always"]
    assert kiosk("retention", "--config", config).status == 0
    assert names(kiosk) == ["Young", "Always"]
    assert kiosk("audit", "show", "--kind", "subject", "--json").rows[-1]["reason"] == "expired"
    assert kiosk("retention", "--config", config).out == [
        "nobody's validity ended more than 30 days ago",
        "0 records of the log were cut, older than 365 days",
    ]


class Wrong(datetime):
    """A clock that is so many hours ahead."""

    hours = 0

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + timedelta(hours=cls.hours)


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> type[Wrong]:
    monkeypatch.setattr("kiosk.cli.retention.datetime", Wrong)
    monkeypatch.setattr("kiosk.station.upkeep.datetime", Wrong)
    return Wrong


def test_old_records_are_cut_up_to_a_checkpoint(
    kiosk: Command, people: dict[str, str], config: Path, wrong: type[Wrong]
) -> None:
    assert kiosk("audit", "checkpoint").status == 0
    config.write_text("[retention]\nlog_days = 365\n")
    wrong.hours = 24 * 400
    options = ["--clock-is-right", "--json", "--config", config]
    assert kiosk("retention", "--dry-run", *options).rows == [{"records": 4, "cut": False}]
    assert len(kiosk("audit", "show").out) == 5
    assert kiosk("retention", *options).rows == [{"records": 4, "cut": True}]
    assert kiosk("audit", "verify").status == 0
    assert [row["kind"] for row in kiosk("audit", "show", "--json").rows] == ["checkpoint", "chain", "checkpoint"]
    assert len(names(kiosk)) == 3


@pytest.mark.parametrize("hours", [-2, 24 * 8])
def test_a_clock_that_may_be_wrong_erases_nobody(
    kiosk: Command, people: dict[str, str], config: Path, wrong: type[Wrong], hours: int
) -> None:
    wrong.hours = hours
    said = kiosk("retention", "--config", config)
    assert (said.status, len(said.err)) == (2, 1)
    assert len(names(kiosk)) == 3
    assert kiosk("retention", "--clock-is-right", "--config", config).status == (2 if hours < 0 else 0)
    assert len(names(kiosk)) == (3 if hours < 0 else 2)


def test_without_a_policy_or_a_gallery_it_is_refused(kiosk: Command, config: Path, home: Path) -> None:
    assert "no gallery yet" in kiosk("retention", "--config", config).err[0]
    assert not home.exists()
    config.write_text("")
    said = kiosk("retention", "--config", config)
    assert (said.status, "[retention] says of nothing" in said.err[0]) == (2, True)
