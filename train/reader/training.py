"""Fine-tuning with CTC, from the published network or from the last checkpoint of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import UsageError
from streamer.plates import fold
from train.export.reader_settings import write_reader_settings
from train.reader.config import ReaderTraining
from train.reader.network import slice_onnx, to_onnx, trainable
from train.reader.real import RealCrop, RealPlates, cut_loosely
from train.reader.views import WIDTH, to_input, whole

CHECKPOINT = "checkpoint.pt"
TELL_EVERY = 50
"""Steps between two words on the progress."""


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run, told every ``every`` steps."""

    step: int
    loss: float
    """Mean of late."""
    seconds_per_step: float
    folded: float | None = None
    """Share of the validation crops, of one line each, that are right with 0 and O, 1 and I taken as equal; None: not measured."""

    def line(self, steps: int) -> str:
        """Say it to a person."""
        left = (steps - self.step) * self.seconds_per_step / 60
        right = "" if self.folded is None else f", {100 * self.folded:.1f} % of the validation plates right (folded)"
        return f"step {self.step} of {steps}, {self.seconds_per_step:.2f} s each, {left:.0f} min left, loss {self.loss:.3f}{right}"


def train_reader(
    config: ReaderTraining, real: RealPlates, out: Path, *, resume: bool = False, tell: Callable[[Progress], None] | None = None
) -> Path:
    """Train and give the folder with ``inference.onnx`` and ``inference.yml``. ``tell`` gets a Progress now and then.

    Raises UsageError if there is nothing to resume.
    """
    import torch

    from train.reader.batches import batches

    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)
    run = _Run(config, out, resume=resume)
    out.mkdir(parents=True, exist_ok=True)
    drawn = batches(config, real.train, run.step * config.batch)
    begin, began, late = run.step, time.monotonic(), 0.0
    while run.step < config.steps:
        loss = run.learn(*next(drawn))
        late = loss if run.step == begin + 1 else 0.98 * late + 0.02 * loss
        saving = run.step % config.every == 0 or run.step == config.steps
        folded = run.save(real.val) if saving else None
        if tell and (saving or run.step % TELL_EVERY == 0):
            tell(Progress(run.step, late, (time.monotonic() - began) / (run.step - begin), folded))
    return out


class _Run:
    """The networks of a run: the one that learns, and the running mean of its weights, which is what is kept."""

    def __init__(self, config: ReaderTraining, out: Path, *, resume: bool) -> None:
        import torch

        self.config, self.out, self.step = config, out, 0
        self._device = config.torch_device()
        self._published = slice_onnx(config.start(), config.alphabet)
        # Numbers in the order of pixels: what matrix products of 1x1 convolutions want, a fifth of the time of a step on a CPU.
        self._net = trainable(self._published).to(self._device, memory_format=torch.channels_last)
        follow = torch.optim.swa_utils.get_ema_multi_avg_fn(config.average)
        self._mean = torch.optim.swa_utils.AveragedModel(self._net, multi_avg_fn=follow)
        self._optimiser = torch.optim.AdamW(self._net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        if resume:
            self._restore()
        # From the step count alone, so that a run may be resumed for more or fewer steps than it was begun for.
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            config.learning_rate,
            config.steps,
            pct_start=config.warmup,
            final_div_factor=50,
            cycle_momentum=False,
            last_epoch=self.step - 1,
        )
        self._ctc = torch.nn.CTCLoss(blank=0, zero_infinity=True)

    def _restore(self) -> None:
        import torch

        checkpoint = self.out / CHECKPOINT
        if not checkpoint.is_file():
            raise UsageError(f"{checkpoint}: nothing to resume; start without --resume")
        state = torch.load(checkpoint, weights_only=True, map_location=self._device)
        self._net.load_state_dict(state["net"])
        self._mean.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]

    def learn(self, pictures: Any, targets: Any, lengths: Any) -> float:
        """Take one step on a batch of ``batches`` and give its loss."""
        import torch

        probabilities = self._net(pictures.to(self._device, memory_format=torch.channels_last)).clamp_min(1e-8).log().transpose(0, 1)
        steps = torch.full((len(lengths),), probabilities.shape[0], dtype=torch.long)
        loss = self._ctc(probabilities, targets, steps, lengths)
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._net.parameters(), 5.0)
        self._optimiser.step()
        self._schedule.step()
        self._mean.update_parameters(self._net)
        self.step += 1
        return float(loss.item())

    def save(self, validation: list[RealCrop]) -> float | None:
        """Write checkpoint and reader; give the share of the validation plates that are right, None without any."""
        import torch

        state = {"net": self._net.state_dict(), "average": self._mean.state_dict(), "optimiser": self._optimiser.state_dict()}
        torch.save(state | {"step": self.step}, self.out / CHECKPOINT)
        write_reader(self.out, self._published, self._mean.module.state_dict(), self.config.alphabet)
        return share_right(self._mean.module, validation, self.config.alphabet, self._device) if validation else None


def share_right(net: Any, crops: list[RealCrop], alphabet: str, device: str) -> float:
    """Give the share of crops, each of one line, whose whole text is right, folded, cut once a little loosely."""
    import torch

    dice = np.random.default_rng(0)
    right = 0
    with torch.no_grad():
        for crop in crops:
            output = net(torch.from_numpy(to_input(whole(cut_loosely(crop, dice))))[None].to(device))[0]
            right += fold(spell(output.argmax(1).tolist(), alphabet)) == fold(crop.text)
    return right / len(crops)


def spell(classes: list[int], alphabet: str) -> str:
    """Decode the likeliest class of each step."""
    text, before = "", 0
    for c in classes:
        if c and c != before:
            text += alphabet[c - 1]
        before = c
    return text


def write_reader(folder: Path, published: Any, state: dict[str, Any], alphabet: str) -> None:
    """Write ``inference.onnx`` and the ``inference.yml`` that PaddleOCR wants beside it."""
    import onnx

    onnx.save(to_onnx(published, state), str(folder / "inference.onnx"))
    write_reader_settings(folder, alphabet, WIDTH)
