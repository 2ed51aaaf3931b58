"""What stands behind the cue of both answers of the PAD networks together. It prints; nothing is written.

    python -m models.train.pad.together --work FOLDER count ..   (what the second answer counts; .. is the folder of the
    networks)
    python -m models.train.pad.together --work FOLDER clips ..   (the highest threshold at which nobody is refused)
    python -m models.train.pad.together --work FOLDER --smoke

A replay that fills the frame shows no edge: either answer alone lets many through, only just. Who passes both only just
is denied. The weight is a regression over the two answers on the training sources; the threshold is the highest, in
hundredths, at which no attempt of the clips is refused. The left-out sources choose neither.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm pydantic.
"""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import numpy as np
import onnx

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Face, Image
from kiosk.evaluation import pad_attempts
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.manifest import TOGETHER
from kiosk.vision.models import load
from kiosk.vision.pad import FusedPad
from models.train.common.command_line import asked, command_line
from models.train.common.folders import MODELS
from models.train.common.runtime import session
from models.train.pad.frames import BONA_FIDE, Frames, load_frames
from models.train.pad.heads import CLASSES, NETWORKS, fitted, weights


def answers(model: onnx.ModelProto, crops: np.ndarray) -> np.ndarray:
    """N x 2: the classes' log odds of bona fide, and the second answer's logit."""
    run, found = session(model), []
    for at in range(0, len(crops), 32):
        x = np.ascontiguousarray(crops[at : at + 32].transpose(0, 3, 1, 2), dtype=np.float32)
        found.append(run.run(None, {"input": x})[0])
    logits = np.concatenate(found).astype(np.float64)
    return np.stack([logits[:, 1] - np.logaddexp(logits[:, 0], logits[:, 2]), logits[:, CLASSES]], 1)


def second_counts(frames: Frames, folder: Path) -> None:
    """Prints what the second answer counts beside the first, on the labelled sources and with each left out: attacks as
    framed and filling the frame, in which nothing is cut out."""
    source, kind = (np.array(v) for v in zip(*(name.split(" ", 1) for name in frames.group), strict=True))
    used = np.isin(kind, ("as framed", "near")) & ~np.isin(source, ("celeba", "masks"))
    models = [onnx.load(folder / f"{name}.onnx") for name in NETWORKS]
    both = np.mean([answers(m, frames.crops[used][:, k]) for k, m in enumerate(models)], 0)
    label, group, source = frames.label[used], frames.group[used], source[used]
    for out in ("", *sorted(set(source.tolist()))):
        at = source != out
        slope, _ = fitted(both[at], (label[at] == BONA_FIDE).astype(np.float32), weights(label[at], group[at]))
        print(f"without {out or 'none'}: the second answer counts {slope[1] / slope[0]:.2f}")


class Together:
    """The cue of both answers, alone."""

    def __init__(self, pad: FusedPad) -> None:
        self.answers = pad.answers

    def score(self, image: Image, face: Face) -> float:
        return self.answers(image, face)[TOGETHER]


def none_refused(scores: list[float], threshold: float, rules: Rules) -> bool:
    """Whether PAD refuses none of a person's attempts, one after another as at the door."""
    run = denied = 0
    for score in scores:
        run, denied = (run + 1, denied) if score >= threshold else (0, denied + 1)
        if run == rules.needed:
            run = denied = 0
        elif denied > rules.window - rules.needed:
            return False
    return True


def clips_pass(clips: Path, folder: Path, most: int | None) -> None:
    """Prints the highest threshold of the cue at which no attempt of each clip is refused, in hundredths; `most`:
    windows of frames that are looked at."""
    models = load(ModelsConfig(folder=folder), PolicyConfig())
    windows = islice(pad_attempts.clips([clips]), most)
    seen: dict[str, list[float]] = {}
    for trial in pad_attempts.run(windows, models.detector, Together(models.pad)):
        seen.setdefault(trial.cell.source, []).extend(s for s in trial.scores if not math.isnan(s))
    for name, scores in seen.items():
        highest = max((k for k in range(100) if none_refused(scores, k / 100, Rules())), default=0)
        print(f"{name}: nobody is refused at {highest / 100:.2f}")


def main() -> None:
    parser = command_line(__doc__, "the drawn frames", "a minute")
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures that are drawn, when none are yet")
    steps = parser.add_subparsers(dest="step")
    for name in ("count", "clips"):
        steps.add_parser(name).add_argument("folder", type=Path, help="where the networks are")
    a, reference, work = asked(parser)
    folder = MODELS if a.smoke else a.folder
    if a.step != "clips":
        second_counts(load_frames(a.shared / "faces", reference, work, 0.01 if a.smoke else a.share), folder)
    if a.step != "count":
        clips_pass(a.shared / "clips", folder, 3 if a.smoke else None)


if __name__ == "__main__":
    main()
