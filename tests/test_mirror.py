"""Each module of kiosk/ has its test file in the same place of tests/, or stands in one of two lists."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTHING_RUNS = ("domain/ports/*", "domain/certificate", "domain/decision", "domain/door/events", "domain/door/grants",
                "domain/door/rules", "domain/door/state", "domain/face", "domain/kept", "domain/people",
                "domain/updates", "domain/staff_views", "demonstration/story", "gui/look", "gui/state")  # fmt: skip
"""Protocols, and nouns without behaviour of their own: what uses them tests them."""
ELSEWHERE = {
    # The same suite over all that are registered.
    "cameras/replay": "contract/test_cameras",
    "locks/gpio": "contract/test_locks",
    "locks/simulated": "contract/test_locks",
    "locks/secure_line": "contract/test_locks",
    "notifiers/led": "contract/test_notifiers",
    "testing/cameras": "contract/test_cameras",
    "testing/locks": "contract/test_locks",
    "testing/notifiers": "contract/test_notifiers",
    "testing/panel_rig": "contract/test_panels",
    "testing/panels": "contract/test_panels",
    "testing/__init__": "contract/test_notifiers",
    "panels/line": "contract/test_panels",
    "plugins": "contract/test_locks",
    # Through the program, or the command, that they are parts of.
    "__main__": "cli/test_bad_input",
    "cli/__init__": "cli/test_bad_input",
    "cli/asking": "cli/test_unlock",
    "cli/bench_pin": "cli/test_bench",
    "cli/audit_export": "cli/test_audit_chain",
    "cli/audit_rows": "cli/test_audit",
    "cli/bench_window": "evaluation/benchmarks/test_gui",
    "cli/calibrate_lines": "cli/test_calibrate_faces",
    "cli/decisions": "cli/test_printing",
    "cli/doctor_basics": "cli/test_doctor",
    "cli/doctor_check": "cli/test_doctor",
    "cli/doctor_gallery": "cli/test_doctor",
    "cli/doctor_list": "cli/test_doctor",
    "cli/doctor_window": "cli/test_doctor",
    "cli/door_log": "cli/test_door",
    "cli/door_pair": "cli/test_badges",
    "cli/evaluate/*": "cli/test_evaluate",
    "cli/front": "cli/test_printing",
    "cli/models/under_way": "cli/models/test_switch",
    "cli/pass_lines": "cli/test_passes",
    "cli/setup_answers": "cli/test_setup",
    "cli/setup_camera": "cli/test_setup_ask",
    "cli/setup_lock": "cli/test_setup_ask",
    "cli/subject_lines": "cli/test_subjects_ways",
    "door/__main__": "door/test_daemon",
    "door/feed": "door/test_server",
    "notify/__main__": "notify/test_process",
    # Through what they serve, in which their behaviour shows.
    "station/earlier_references": "cli/models/test_switch",
    "vision/measured": "vision/test_models",
    "cameras/files": "cli/test_bad_input",
    "demonstration/layers": "demonstration/test_scene",
    "evaluation/detector_figures": "evaluation/test_detector",
    "evaluation/pad_plot": "evaluation/test_plots",
    "evaluation/trial": "cli/models/test_install",
    "gui/bar": "gui/test_window",
    "gui/bridge": "gui/test_window",
    "gui/icons": "gui/test_window",
    "gui/pads": "gui/test_window",
    "gui/preview": "gui/test_window",
    "gui/setting": "gui/test_window",
    "gui/toolkit/button": "gui/toolkit/test_widgets",
    "gui/toolkit/field": "gui/toolkit/test_widgets",
    "gui/toolkit/fitting": "gui/toolkit/test_widgets",
    "gui/toolkit/keyboard": "gui/toolkit/test_widgets",
    "gui/toolkit/keypad": "gui/toolkit/test_widgets",
    "gui/toolkit/listing": "gui/toolkit/test_widgets",
    "gui/toolkit/page": "gui/toolkit/test_widgets",
    "gui/visitor": "gui/test_window",
    "gui/widgets": "gui/test_window",
    "gui/staff/*": "gui/staff/test_mode",
    "locks/usb_board": "locks/test_usb_hid",
    "notifiers/conditions": "notifiers/test_mqtt",
    "notifiers/home_assistant": "notifiers/test_mqtt",
    "notify/file": "notify/test_outbox",
    "section": "test_sections",
    "ipc/control_answers": "station/test_control",
    "ipc/control_messages": "station/test_control",
    "ipc/control_rights": "station/test_control",
    "ipc/kept_messages": "station/test_register",
    "station/control_client": "station/test_register",
    "station/answering": "station/test_control",
    "station/desk": "station/test_control",
    "station/aftermath": "station/test_pipeline",
    "station/admission": "station/test_reception",
    "station/alarm": "station/test_reception",
    "station/door_watch": "station/test_door_audit",
    "station/deciding": "station/test_pipeline",
    "storage/database": "storage/test_durability",
    "storage/kept": "cli/test_subjects_export",
    "storage/people": "storage/test_gallery",
    "storage/troubles": "storage/test_faults",
    "station/booth_tasks": "station/test_booth",
    "station/staff_draft": "station/test_staff_enrolment",
    "station/staff_pages": "station/test_staff",
    "station/staff_session": "station/test_staff",
    "station/staff_sign_in": "station/test_staff",
    "vision/answers": "vision/test_embedder",
    "vision/described": "cli/models/test_install",
    "vision/install": "cli/models/test_install",
    "vision/manifest": "vision/test_models",
    "vision/model_files": "vision/test_models",
}


def modules() -> list[str]:
    """All with something in them: "door/server"."""
    files = [p for p in (ROOT / "kiosk").rglob("*.py") if p.stat().st_size > 0]
    return sorted(str(p.relative_to(ROOT / "kiosk").with_suffix("")) for p in files)


def mirror(module: str) -> Path:
    """door/server is tested in door/test_server.py, the package cli/models in cli/test_models.py."""
    parts = Path(module.removesuffix("/__init__"))
    return ROOT / "tests" / parts.parent / f"test_{parts.name}.py"


@pytest.mark.parametrize("module", [m for m in modules() if m != "__init__"])
def test_each_module_is_tested_somewhere(module: str) -> None:
    listed = [entry for entry in (*NOTHING_RUNS, *ELSEWHERE) if fnmatch(module, entry)]
    if mirror(module).exists():
        assert [entry for entry in listed if "*" not in entry] == [], "it has its mirror: take it off the list"
    else:
        assert listed, f"{mirror(module).relative_to(ROOT)} is missing"


def test_what_is_listed_is_there() -> None:
    assert [entry for entry in (*NOTHING_RUNS, *ELSEWHERE) if not any(fnmatch(m, entry) for m in modules())] == []
    assert [test for test in set(ELSEWHERE.values()) if not (ROOT / "tests" / f"{test}.py").exists()] == []
