"""What the command lines of the detector's and of the PAD networks' recipes share: the folders, and the trial run."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch

from models.train.common.folders import SHARED


def command_line(doc: str | None, work: str, smoke: str) -> argparse.ArgumentParser:
    """--shared, --work and --smoke; `work` says what is kept there, `smoke` how long the trial run takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with faces, weights and clips")
    parser.add_argument("--work", type=Path, required=True, help=work)
    parser.add_argument("--smoke", action="store_true", help=f"all steps on a few pictures, under {smoke}")
    return parser


def asked(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Path, Path]:
    """What was asked for, the reference detector's file and the folder for work, which is made where it is missing.
    Ends with a line where no step is named or the data are not there. One thread from then on."""
    a = parser.parse_args()
    if a.step is None and not a.smoke:
        parser.error("name a step, or --smoke (--help lists the steps)")
    reference = a.shared / "weights" / "face_detection_yunet_2023mar.onnx"
    if not reference.exists():
        parser.error(f"{reference} is missing: name the data folder with --shared or KIOSK_SHARED")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    work = a.work / "smoke" if a.smoke else a.work
    work.mkdir(parents=True, exist_ok=True)
    return a, reference, work
