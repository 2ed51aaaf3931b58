"""The recipe of a PAD network for a face's own texture: begin, fit, export. From the teacher's weights, without a step
of descent.

    python pad_texture.py --work FOLDER begin       (draws the frames of training; thins the teacher)
    python pad_texture.py --work FOLDER fit         (the last layer, on the attacks as a door sees them)
    python pad_texture.py --work FOLDER export FOLDER2
    python pad_texture.py --work FOLDER --smoke

The student begins as a thinned teacher (pad_texture_net.py): it follows it closely in a quarter of its time. Its last
layer is then fitted by logistic regression over the frames of training (pad_frames.py), as the context networks'
second answer is (pad_heads.py). Not shipped: the model card says why.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm pydantic.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
import torch
from loop import export
from pad_crops import augmented
from pad_frames import BONA_FIDE, Frames, load_frames
from pad_heads import fitted, weights
from pad_texture_net import SIDE, Texture, begun, pixels, teacher
from tqdm import tqdm

SQUARES = 256  # frames that the least squares of the beginning are over
BEGUN, FITTED = "pad-texture-begun.pt", "pad-texture.pt"


def begin(frames: Frames, source: Path, work: Path) -> None:
    """Thins the teacher over a draw of the frames, and says how closely the student follows it on others."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(frames.label), min(SQUARES * 5 // 4, len(frames.label)), replace=False)
    x = pixels(np.stack([augmented(frames.texture[i], rng) for i in chosen]))
    cut = len(chosen) * 4 // 5
    whole = teacher(source)
    net = begun(whole, x[:cut])
    with torch.no_grad():
        a, b = (n(x[cut:]) @ torch.tensor([1.0, -1.0]) for n in (whole, net))
    print(f"begun: its scores and the teacher's on other frames: correlation {np.corrcoef(a, b)[0, 1]:.3f}")
    torch.save(net.state_dict(), work / BEGUN)


@torch.no_grad()
def features(net: Texture, crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """N x HEAD: what the last layer is given, of changed copies of the crops."""
    found = []
    for at in tqdm(range(0, len(crops), 32), "features", mininterval=20, disable=None):
        x = pixels(np.stack([augmented(crop, rng) for crop in crops[at : at + 32]]))
        found.append(net.features(x).numpy())
    return np.concatenate(found)


def fit(frames: Frames, work: Path) -> None:
    """The last layer anew; class 0 stays bona fide."""
    net = restored(work / BEGUN)
    weight, good = weights(frames.label, frames.group), (frames.label == BONA_FIDE).astype(np.float32)
    given = features(net, frames.texture, np.random.default_rng(7))
    slope, bias = fitted(given, good, weight)
    right = (given @ slope + bias > 0) == (good == 1)
    print(f"fitted: {100 * (right * weight).sum():.1f}% of training right")
    half = torch.from_numpy(slope).float() / 2
    net.last.weight.data = torch.stack([half, -half])
    net.last.bias.data = torch.tensor([bias / 2, -bias / 2])
    torch.save(net.state_dict(), work / FITTED)


def restored(path: Path) -> Texture:
    if not path.exists():
        raise SystemExit(f"no {path.name} in {path.parent}: run the step before")
    net = Texture()
    net.load_state_dict(torch.load(path))
    return net.eval()


def write(work: Path, folder: Path) -> None:
    """Input "input" (batch, 3, 128, 128), RGB 0 to 1; output "logits" (batch, 2), class 0 bona fide."""
    net = restored(work / FITTED)
    with torch.no_grad():
        cases = [(x, net(x)) for x in (torch.rand(count, 3, SIDE, SIDE) for count in (1, 2, 5))]
    axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
    export(net, folder / "pad-texture.onnx", "logits", axes, cases)


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = os.environ.get("KIOSK_SHARED", str(here.parents[2] / "shared"))
    parser.add_argument("--shared", type=Path, default=Path(shared), help="the folder with faces and weights")
    parser.add_argument("--work", type=Path, required=True, help="the drawn frames and the weights")
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures that are drawn, when none are yet")
    parser.add_argument("--smoke", action="store_true", help="all steps on a few pictures, under two minutes")
    steps = parser.add_subparsers(dest="step")
    for name in ("begin", "fit"):
        steps.add_parser(name)
    steps.add_parser("export").add_argument("folder", type=Path)
    a = parser.parse_args()
    if a.step is None and not a.smoke:
        parser.error("name a step: begin, fit or export (or --smoke)")
    reference = a.shared / "weights" / "face_detection_yunet_2023mar.onnx"
    if not reference.exists():
        parser.error(f"{reference} is missing: name the data folder with --shared or KIOSK_SHARED")
    torch.set_num_threads(1 if a.smoke else 2)
    cv2.setNumThreads(1)
    work = a.work / "smoke" if a.smoke else a.work
    work.mkdir(parents=True, exist_ok=True)
    if a.step in ("begin", "fit") or a.smoke:
        frames = load_frames(a.shared / "faces", reference, work, 0.005 if a.smoke else a.share)
        if a.step != "fit":
            begin(frames, a.shared / "weights" / "minifas_texture_128.onnx", work)
        if a.step != "begin":
            fit(frames, work)
    if a.step == "export" or a.smoke:
        write(work, work if a.smoke else a.folder)


if __name__ == "__main__":
    main()
