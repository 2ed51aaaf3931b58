"""The recipe of the PAD networks' second answer: is the face cut out? A linear map of the features they have already.

    python -m models.train.pad.heads --work FOLDER fit ..        (the folder of the networks: read, and written again)
    python -m models.train.pad.heads --work FOLDER --smoke

Each context network ends in a linear layer over 128 features. Its three classes stay as they are; a fourth number is
added: the logit that nothing is cut out, bent or held up, by ridge-penalised logistic regression over the frames of
training (frames.py). It costs no time in use. At the door the networks' fourth numbers are averaged and are a cue
of their own. A second run replaces the fourth number.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm pydantic.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F

from models.train.common.command_line import asked, command_line
from models.train.common.folders import MODELS
from models.train.common.runtime import session
from models.train.pad.crops import CONTEXTS, augmented
from models.train.pad.frames import ATTACK, BONA_FIDE, EDGES, Frames, load_frames

NETWORKS = ("pad-2.7", "pad-4.0")
CLASSES = 3
PENALTY = 5e-4
PEOPLE = 2.0  # photographs of CelebA and the masked faces count so many times among the bona fide: they are most unlike
SHARES = {ATTACK: 0.4, EDGES: 0.1, BONA_FIDE: 0.5}


def weights(label: np.ndarray, group: np.ndarray, people: float = PEOPLE) -> np.ndarray:
    """How much each frame counts: each label its share (see SHARES), in it each group by the root of its size."""
    weight = np.zeros(len(label))
    for name, value in {(g, v) for g, v in zip(group.tolist(), label.tolist(), strict=True)}:
        at = np.flatnonzero((group == name) & (label == value))
        weight[at] = np.sqrt(len(at)) / len(at)
    unlabelled = np.array([name.split()[0] in ("celeba", "masks") for name in group])
    weight[(label == BONA_FIDE) & unlabelled] *= people
    attacks = label != BONA_FIDE
    for value in (ATTACK, EDGES):
        at = label == value
        weight[at] *= SHARES[value] / max(weight[at].sum(), 1e-9)
    for at in (attacks, ~attacks):
        weight[at] *= 0.5 / max(weight[at].sum(), 1e-9)
    return weight


def last_layer(model: onnx.ModelProto) -> onnx.NodeProto:
    return [n for n in model.graph.node if n.op_type == "Conv"][-1]


def features(model: onnx.ModelProto, crops: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """N x 128: what the last layer is given, of changed copies of the crops."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    name = last_layer(model).input[0]
    whole.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    run = session(whole)
    found = []
    for at in range(0, len(crops), 32):
        x = np.stack([augmented(crop, rng) for crop in crops[at : at + 32]]).transpose(0, 3, 1, 2)
        found.append(run.run([name], {"input": np.ascontiguousarray(x)})[0])
    return np.concatenate(found).reshape(len(crops), -1)


def fitted(given: np.ndarray, good: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Weight and bias of the logistic regression, over the features as they are."""
    mean, spread = given.mean(0), given.std(0) + 1e-6
    x = torch.from_numpy((given - mean) / spread).float()
    y, w = torch.from_numpy(good).float(), torch.from_numpy(weight).float()
    slope, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([slope, bias], max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        errors = F.binary_cross_entropy_with_logits(x @ slope + bias, y, reduction="none")
        loss = (w * errors).sum() + PENALTY * (slope**2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    found = slope.detach().numpy() / spread
    return found, float(bias.item() - found @ mean)


def with_answer(model: onnx.ModelProto, slope: np.ndarray, bias: float) -> None:
    """Puts the fourth number into the network's last layer."""
    node = last_layer(model)
    kept = {i.name: i for i in model.graph.initializer}
    weight, offset = (numpy_helper.to_array(kept[name])[:CLASSES] for name in node.input[1:])
    weight = np.concatenate([weight, slope.reshape(1, -1, 1, 1).astype(np.float32)])
    offset = np.append(offset, np.float32(bias))
    for name, value in zip(node.input[1:], (weight, offset), strict=True):
        kept[name].CopyFrom(numpy_helper.from_array(value, name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = CLASSES + 1
    onnx.checker.check_model(model, full_check=True)


def fit(frames: Frames, folder: Path, out: Path) -> None:
    weight, good = weights(frames.label, frames.group), (frames.label == BONA_FIDE).astype(np.float32)
    for k, name in enumerate(NETWORKS):
        model = onnx.load(folder / f"{name}.onnx")
        given = features(model, frames.crops[:, k], np.random.default_rng(5 + k))
        slope, bias = fitted(given, good, weight)
        right = (given @ slope + bias > 0) == (good == 1)
        before = session(model)
        with_answer(model, slope, bias)
        x = frames.crops[:8, k].transpose(0, 3, 1, 2).astype(np.float32)
        was, now = before.run(None, {"input": x})[0], session(model).run(None, {"input": x})[0]
        if not np.allclose(was[:, :CLASSES], now[:, :CLASSES], rtol=1e-4, atol=1e-4):
            raise SystemExit(f"{name}: the classes have changed")
        onnx.save(model, out / f"{name}.onnx")
        print(
            f"{name} at {CONTEXTS[k]}: {100 * (right * weight).sum():.1f}% of training right; {out / name}.onnx written"
        )


def main() -> None:
    parser = command_line(__doc__, "the drawn frames", "a minute")
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures that are drawn, when none are yet")
    parser.add_subparsers(dest="step").add_parser("fit").add_argument(
        "folder", type=Path, help="where the networks are"
    )
    a, reference, work = asked(parser)
    frames = load_frames(a.shared / "faces", reference, work, 0.01 if a.smoke else a.share)
    fit(frames, MODELS if a.smoke else a.folder, work if a.smoke else a.folder)


if __name__ == "__main__":
    main()
