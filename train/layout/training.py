"""Trains the network on synthetic crops."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from train.layout.augment import batch_of
from train.layout.config import LayoutTraining
from train.layout.network import LayoutNet
from train.layout.samples import Samples

ACROSS = 3.0
"""An error across counts so often: a crop is wider than high, and the room beside the characters a smaller share of it."""
CORNERS = 20.0
"""Weight of the corners beside the number of lines."""
BETA = 0.01
"""Errors of corners below this share of the crop count less and less."""
KEEP = 0.995
"""Per step, of the running mean of the weights, which is what is exported."""
SAVE_EVERY = 250

Watch = Callable[[int, float, float], None]
"""Told the step, how far the schedule is, 0..1, and the mean loss of late."""


def train_layout(samples: Samples, config: LayoutTraining, out: Path, *, resume: bool, watch: Watch) -> LayoutNet:
    """Train for ``config.steps`` or ``config.minutes``; keeps ``out/last.pt``. Gives the mean network, ready for use."""
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(config.seed)
    net = LayoutNet().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    last = out / "last.pt"
    step, spent, recent = 0, 0.0, float("nan")
    if resume and last.is_file():
        step, spent = _restore(last, net, mean, optimiser)
    began = time.monotonic() - spent
    while (done := _progress(config, step, time.monotonic() - began)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _rate(done)
        rng = np.random.default_rng((config.seed, step))  # of the step: a resumed training sees what it would have seen
        pictures, quads, two = batch_of(samples, rng.integers(0, len(samples), config.batch), rng)
        loss = loss_of(net(torch.from_numpy(pictures)), torch.from_numpy(quads), torch.from_numpy(two))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step += 1
        _follow(mean, net, min(KEEP, step / (step + 10)))
        recent = loss.item() if math.isnan(recent) else 0.98 * recent + 0.02 * loss.item()
        watch(step, done, recent)
        if step % SAVE_EVERY == 0:
            _save(last, net, mean, optimiser, step, time.monotonic() - began)
    _save(last, net, mean, optimiser, step, time.monotonic() - began)
    return mean.eval()


def loss_of(outputs: torch.Tensor, quads: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Both questions: how many lines, and where; corners of lines that a crop has not got do not count."""
    lines = outputs[:, 1:].reshape(-1, 3, 4, 2)
    wanted = torch.stack((quads[:, 0], quads[:, 0], quads[:, 1]), dim=1)
    counts = torch.stack((1 - two, two, two), dim=1)
    errors = smooth_l1_loss(lines, wanted, reduction="none", beta=BETA) * torch.tensor((ACROSS, 1.0))
    corners = (errors.mean(dim=(2, 3)) * counts).sum() / counts.sum().clamp(min=1)
    return CORNERS * corners + binary_cross_entropy_with_logits(outputs[:, 0], two)


def _progress(config: LayoutTraining, step: int, seconds: float) -> float:
    return step / config.steps if config.minutes is None else seconds / 60 / config.minutes


def _rate(done: float) -> float:
    """Up within the first 3 %, then down along a cosine."""
    return min(1.0, 0.05 + done / 0.03) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, done)))


@torch.no_grad()
def _follow(mean: LayoutNet, net: LayoutNet, keep: float) -> None:
    for kept, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - keep)
        else:
            kept.copy_(new)


def _save(path: Path, net: LayoutNet, mean: LayoutNet, optimiser: Any, step: int, spent: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"net": net.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": spent}
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def _restore(path: Path, net: LayoutNet, mean: LayoutNet, optimiser: Any) -> tuple[int, float]:
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    mean.load_state_dict(state["mean"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), float(state["spent"])
