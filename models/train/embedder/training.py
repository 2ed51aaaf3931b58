"""The embedder's training: its phases' losses.

Phase 1, block by block: each piece of the student learns the teacher's mapping from the teacher's own inputs. The
pieces at high resolution see a part of each batch: their maps hold thousands of positions a face.
Phase 2, end to end: the student's embedding towards the teacher's; at first with the teacher's maps as further targets.
Or, instead of phase 1: the teacher's own weights, `Plan.anneal` steps of phase 2 make its function the student's.
Or from there on, and in phase 4 (`Plan.follow`): the teacher sees what the student sees, and all its maps are targets.
Phase 3, on top of it: triplets of the labelled identities, and phase 2's loss on them and on as many other pictures.
Phase 4, the last: the rounding of the int8 network.
The batch norms' statistics rest in phases 3 and 4, and in a phase 2 that says so (`Plan.settled`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from models.train.common.faces import Batches, pictures, read_faces, training_faces, views_of
from models.train.embedder.distillation import following_losses, relative_error, teacher_network, towards
from models.train.embedder.export import calibration_faces, settle
from models.train.embedder.init_from_teacher import Leaky, bend, end_as_teacher, start_from_teacher, units, with_slopes
from models.train.embedder.init_seesaw import start_seesaw
from models.train.embedder.loop import Plan, State, run_steps
from models.train.embedder.mobilefacenet import PIECES, Block, MobileFaceNet, net_input, read_curved, read_weights
from models.train.embedder.pruning import thin
from models.train.embedder.qat import equalise, find_ranges, with_rounding
from models.train.embedder.seesawfacenet import SeesawFaceNet, Uneven
from models.train.embedder.teacher import FEATURES, Targets, Teacher
from models.train.embedder.triplets import PICTURES, draw, labelled, triplet_loss

HIGH = 6  # the first pieces, at 56 x 56 and 28 x 28, that see three eighths of a batch in phase 1


def piece_ends(teacher: Teacher, state: State, n: int) -> list[torch.Tensor]:
    """The input of each piece and the output of the last, from the teacher, on n changed pictures."""
    batches = state.batches
    x = batches.crops(batches.views(n), 1.5)
    x = batches.blur(batches.blend(batches.light(x, 0.25, 20), n // 4), 0.15).clamp_(0, 255)
    e, maps = teacher.run(x, list(range(len(PIECES) - 1)))
    return [v.to(state.device) for v in (net_input(x), *maps, e[:, :, None, None])]


def start_pieces(net: nn.Module, ends: list[torch.Tensor]) -> None:
    """Gives each piece's last batch norm the mean, and half the deviation, of its target's channels."""
    for j, (low, high) in enumerate(PIECES):
        first, last = net.n[low], net.n[high - 1]
        y = ends[j + 1]
        if isinstance(first, Block):
            y = y - ends[j] if first.residual else y
        unit = last.f[-1] if isinstance(last, Block) else last
        with torch.no_grad():
            unit.b.bias.copy_(y.mean((0, 2, 3)))
            unit.b.weight.copy_(0.5 * y.std((0, 2, 3)))


def block_losses(state: State, teacher: Teacher, n: int) -> list[torch.Tensor]:
    """Phase 1: the relative error of each piece."""
    net, ends = state.net, piece_ends(teacher, state, n)
    layers = list(net.n)
    losses = []
    for j, (low, high) in enumerate(PIECES):
        k = 3 * n // 8 if j < HIGH else n
        u, y = ends[j][:k], ends[j + 1][:k]
        first = layers[low]
        if isinstance(first, Block):
            z = first.f(u)
            y = y - u if first.residual else y
        else:
            z = net.n[low:high](u)
        losses.append(relative_error(z, y))
    return losses


@torch.no_grad()
def resting(layers: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """What these layers make of x; they learn nothing from it, their batch norms neither."""
    live = [u.b for u in units(layers) if u.b.training]
    for norm in live:
        norm.eval()
    x = layers(x)
    for norm in live:
        norm.train()
    return x


def whole_losses(state: State, targets: Targets, plan: Plan) -> tuple[list[torch.Tensor], bool]:
    """Phase 2: 1 - cosine to the teacher, squared difference of the batch's similarities, error of the maps.

    Every `plan.every`-th step all layers learn, from new pictures, with the teacher's maps as further targets where
    these have a weight. In the others the leading `plan.resting` layers rest, and so does the teacher: pictures that it
    has embedded come again. The teacher always sees the clean picture, the student a changed one.
    """
    net, batches, n, full = state.net, state.batches, plan.batch, state.step % plan.every == 0
    views = batches.views(n) if full else batches.rng.choice(targets.known(batches.all_views), n, replace=False)
    with_maps = full and plan.features > 0
    x = batches.crops(views, 0.0 if with_maps else 1.0)
    y, y_maps = targets.with_maps(x, views) if with_maps else (targets.complete(batches.x, views), [])
    y, y_maps = y.to(state.device), [m.to(state.device) for m in y_maps]
    kept = {2 + i for i in FEATURES} if with_maps else set()  # the bottleneck i is the layer 2 + i
    still = 0 if full else plan.resting
    x = net_input(batches.changed(x)).to(state.device)
    x = resting(net.n[:still], x) if still else x
    z_maps = []
    for i, layer in enumerate(net.n[still:], still):
        x = layer(x)
        if i in kept:
            z_maps.append(x)
    e = F.normalize(x.flatten(1))
    return towards(e, y) + [relative_error(z, m) for z, m in zip(z_maps, y_maps, strict=True)], full


def triplet_losses(state: State, targets: Targets, plan: Plan, people: list[NDArray[np.int64]]) -> list[torch.Tensor]:
    """Phase 3: the loss towards the teacher, that of the triplets, and the share of pairs with a semi-hard negative.

    Half of the batch are PICTURES pictures of each of some people, half are any pictures.
    """
    batches = state.batches
    ids, who = draw(people, plan.batch // (2 * PICTURES), batches.rng)
    views = np.r_[2 * ids + batches.rng.integers(0, 2, len(ids)), batches.views(plan.batch - len(ids))]
    y = targets.complete(batches.x, views).to(state.device)
    x = batches.crops(views, 1.0)
    x = net_input(batches.changed(x)).to(state.device)
    e = F.normalize(state.net(x).flatten(1))
    return [*towards(e, y), *triplet_loss(e[: len(who)], torch.from_numpy(who).to(state.device))]


def begin_as(net: nn.Module, shared: Path, start: Path | None) -> list[Leaky | Uneven]:
    """Gives a network a trained one's weights -> what has a `share`: 1 is that one's function; to be brought to 0.

    The trained one is the teacher, or the MobileFaceNet of the file `start`, which may have more PReLUs.
    """
    source = net if isinstance(net, MobileFaceNet) else MobileFaceNet()
    if start is None:
        start_from_teacher(source, shared)
        slopes = with_slopes(source, shared)
    else:
        weights, more = read_curved(start)
        source.load_state_dict(weights)
        slopes = bend(source, more)
    return start_seesaw(net, source) if isinstance(net, SeesawFaceNet) else slopes


def weights_of(start: Path, network: type[nn.Module], shared: Path, teachers_end: bool) -> dict[str, torch.Tensor]:
    """Of the file `start`; with `teachers_end`, the last layers of a MobileFaceNet are the teacher's."""
    net = network()
    net.load_state_dict(read_weights(start, network))
    if teachers_end and isinstance(net, MobileFaceNet):
        end_as_teacher(net, shared)
    return net.state_dict()


def train(
    plan: Plan,
    shared: Path,
    work: Path,
    checkpoint: Path,
    threads: int,
    start: Path | None,
    network: type[nn.Module] = MobileFaceNet,
    device: str = "cpu",
    share: float = 1.0,
    teachers_end: bool = False,
) -> None:
    """Runs the plan, from the checkpoint where there is one; the work folder holds caches. `share`: of the faces."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # following the maps: 9 pictures a second without, 40 with (one run each)
    faces = read_faces(shared)
    chosen = training_faces(faces, share)
    x = pictures(shared, work, faces, None if share == 1 else chosen)
    teacher = Teacher(shared, threads)
    both = work / "targets.npy"  # of `models.train.embedder targets`
    targets = Targets(both if both.exists() else work / "y1.npy", teacher, 2 * len(x))
    state = State(network, Batches(x, views_of(chosen), seed=0), 0, device)
    annealed = begin_as(state.net, shared, start) if plan.anneal else []
    state.net.to(device)
    if checkpoint.exists():
        state.load(checkpoint)
    elif start is not None or annealed:
        begun = state.net.state_dict() if annealed else weights_of(start, network, shared, teachers_end)
        state.average.load_state_dict(begun)
        state.start_phase(2)
    if annealed and state.phase == 1:
        raise SystemExit(f"{checkpoint} is of phase 1; --anneal is a start of its own: name another folder with --work")
    if state.phase > plan.phase:
        return  # done before
    if state.phase < plan.phase:
        state.start_phase(plan.phase)
    if plan.phase > 1:
        # The last two have one position a face: a batch's own statistics would be noise in each embedding.
        for unit in units(state.net) if plan.settled else state.net.n[-2:]:
            unit.b.eval()
    if plan.follow and not plan.anneal and state.step == 0 and isinstance(state.net, MobileFaceNet):  # ReLU by now
        thin(state.net, net_input(calibration_faces(shared, work, share)))
        state.average.load_state_dict(state.net.state_dict())
    if plan.phase == 4:
        if state.ranges is None:
            clean = net_input(calibration_faces(shared, work, share))
            equalise(state.net, clean)
            state.average.load_state_dict(state.net.state_dict())
            state.ranges = find_ranges(state.net, clean)
        with_rounding(state.net, state.ranges)
    if (plan.phase, state.step) == (1, 0):
        start_pieces(state.net, piece_ends(teacher, state, 64))
        state.average.load_state_dict(state.net.state_dict())
    people = labelled(chosen) if plan.phase == 3 else []
    followed = teacher_network(shared, device, plan.bf16) if plan.follow else None

    def losses() -> tuple[list[torch.Tensor], bool]:
        for a in annealed:
            a.share = max(0.0, 1 - state.step / plan.anneal)
        if plan.phase == 1:
            return block_losses(state, teacher, plan.batch), True
        if plan.phase == 3:
            return triplet_losses(state, targets, plan, people), True
        if followed is not None:
            return following_losses(state, followed, plan), True
        return whole_losses(state, targets, plan)

    run_steps(plan, state, losses, checkpoint)
    if plan.phase > 1 and not plan.settled:
        settle(state.average, calibration_faces(shared, work, share))
        state.save(checkpoint)
