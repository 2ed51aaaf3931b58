"""The recipe of CONTRIBUTING.md, as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.far_side import MOSQUITTO, free_port

ROOT = Path(__file__).parents[1]


@pytest.mark.prove
@pytest.mark.timeout(240)
def test_the_loop_without_hardware_works_as_it_is_written(tmp_path: Path) -> None:
    if MOSQUITTO is None or shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto and mosquitto_sub are not installed (Debian packages mosquitto, mosquitto-clients)")
    (recipe,) = re.findall(r"```bash\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(MOSQUITTO).parent), os.environ["PATH"]])
    plain = {key: value for key, value in os.environ.items() if not key.startswith("KIOSK_")}
    script = tmp_path / "loop.sh"
    script.write_text(recipe.replace("18830", str(free_port())))
    done = subprocess.run(
        ["bash", "-eu", str(script)],
        cwd=ROOT,
        env={**plain, "PATH": path, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if re.fullmatch(r"door\.[a-z_]+", line)]
    news = iter(told)
    for kind in ("forced_open", "alarm_ended", "rex_pressed", "opened", "closed", "released", "secured"):
        assert f"door.{kind}" in news, f"{kind}, in this order: {told}"
    assert "simulate_open" in done.stdout
