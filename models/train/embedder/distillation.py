"""The loss of a student that follows its teacher: on the very picture that it sees, map by map.

The teacher is the network whose weights the student began with (init_from_teacher.py). It sees the changed picture too,
so its maps are the student's targets place by place. 44,590 faces are few for 128 numbers each: a student of the
embeddings alone came to know the training faces (cosine .953 to their targets) better than other people (.931). The
maps hold hundreds of vectors a face, and tell it what the teacher learnt from millions.

But for a mask, glasses or a hat, which mislead the teacher as well: of a covered face it sees the face without the
cover, and only its embedding is a target. A student that followed it there knew fewer people behind a mask than before.
And the embedding is the mean of the picture's and of its mirror image's, which tells people apart better than either.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from models.train.common.faces import Batches
from models.train.embedder.init_from_teacher import start_from_teacher, units, with_slopes
from models.train.embedder.loop import Plan, State
from models.train.embedder.mobilefacenet import MobileFaceNet, net_input

FOLLOWED = (3, 5, 8, 11, 14, 15, 16, 17)  # the maps behind so many layers: the stages' parts and the last blocks
SHIFT = 1.0  # pixels
COVERED = 0.12  # of the pictures
MIXED = 8  # one of so many pictures is a blend of two faces: the teacher knows them, too


def relative_error(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean squared error as a share of the target's variance."""
    z, y = z.float(), y.float()
    return F.mse_loss(z, y) / (y.var() + 1e-6)


def towards(e: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    """Unit vectors n x d, the student's and the teacher's -> 1 - cosine, squared difference of the similarities."""
    return [1 - (e * y).sum(1).mean(), (e @ e.T - y @ y.T).pow(2).mean()]


def teacher_network(shared: Path, device: str, bf16: bool = False) -> MobileFaceNet:
    """The teacher with its PReLUs, batch norms folded, ready to run. `bf16`: its weights are so, and so its inputs."""
    net = MobileFaceNet().eval()
    start_from_teacher(net, shared)
    with_slopes(net, shared, keep=False)
    for unit in units(net):
        unit.fold()
    dtype = torch.bfloat16 if bf16 else torch.float32
    return net.requires_grad_(False).to(device, dtype, memory_format=torch.channels_last)


def embedding_and_maps(net: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Network inputs n x 3 x 112 x 112 -> unit embeddings n x 128 and the maps of FOLLOWED."""
    maps = []
    for layers, layer in enumerate(net.n, 1):
        x = layer(x)
        if layers in FOLLOWED:
            maps.append(x)
    return F.normalize(x.flatten(1).float()), maps


@functools.cache
def compiled() -> Callable[[nn.Module, torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]]:
    """`embedding_and_maps` compiled, for a network that does not learn: half of its time, and half a minute once."""
    return torch.compile(embedding_and_maps)


def pairs(batches: Batches, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """n pictures for the student, the same ones for the teacher, where they differ: two of n x 3 x 112 x 112, n bool.

    The first has no cover, so that there is always a map to follow.
    """
    bare = batches.lit(batches.blend(batches.crops(batches.views(n), SHIFT), n // MIXED))
    seen = torch.cat([bare[:1], batches.cover(bare[1:].clone(), COVERED)])
    hidden = (seen != bare).flatten(1).any(1)
    seen = batches.taken(seen)
    return seen, torch.where(hidden[:, None, None, None], bare, seen), hidden


def following_losses(state: State, teacher: MobileFaceNet, plan: Plan) -> list[torch.Tensor]:
    """1 - cosine to the teacher, squared difference of the similarities, relative errors of the bare faces' maps.

    The teacher's embedding is the mean of the face's and its mirror image's.
    """
    seen, shown, hidden = pairs(state.batches, plan.batch)
    open_faces = (~hidden).nonzero().flatten().to(state.device)
    look = compiled() if plan.compiled else embedding_and_maps
    with torch.no_grad():
        shown = net_input(shown).to(next(teacher.parameters()))
        y, targets = look(teacher, shown)
        y = F.normalize(y + look(teacher, shown.flip(3).contiguous(memory_format=torch.channels_last))[0])
    with torch.autocast(state.device, torch.bfloat16, enabled=plan.bf16):
        e, maps = embedding_and_maps(state.net, net_input(seen).to(state.device))
    return towards(e, y) + [relative_error(z[open_faces], t[open_faces]) for z, t in zip(maps, targets, strict=True)]
