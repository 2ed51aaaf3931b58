"""The bounds of the settings about what is kept of people."""

from __future__ import annotations

import pytest

from kiosk.config import parse
from kiosk.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[backup]\nfolder = "stick"', "from / on"),
        ("[backup]\ndaily = 0", "backup.daily"),
        ("[backup]\nweekly = 1.5", "backup.weekly"),
        ("[retention]\nended_days = -1", "retention.ended_days"),
        ("[retention]\nlog_days = 0", "retention.log_days"),
        ('[consent]\nlanguage = "English"', "consent.language"),
        ('[consent]\nalternative = ""', "consent.alternative"),
        ('[consent]\nfolder = "texts"', "from / on"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "kiosk.toml", {})
    assert said in str(raised.value)


def test_nothing_is_removed_by_itself_and_no_consent_is_required_where_nothing_is_set() -> None:
    config = parse("", "kiosk.toml", {})
    assert (config.retention.ended_days, config.retention.log_days, config.backup.folder) == (None, None, None)
    assert not config.consent.required
