"""Fine-tuning with CTC, from the published network or from the last checkpoint of a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import UsageError
from streamer.plates import fold
from train.export.reader_settings import write_reader_settings
from train.reader.config import ReaderTraining
from train.reader.data import RealCrop, cut_loosely, real_crops, real_lines, synthetic_lines
from train.reader.network import slice_onnx, to_onnx, trainable
from train.reader.views import WIDTH, Floats, to_input, whole

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run, told every ``every`` steps."""

    step: int
    loss: float
    """Mean of late."""
    seconds_per_step: float
    folded: float | None = None
    """Share of the validation crops that are right, 0 and O, 1 and I taken as equal; None: not measured at this step."""

    def line(self, steps: int) -> str:
        """Say it to a person."""
        left = (steps - self.step) * self.seconds_per_step / 60
        right = "" if self.folded is None else f", {100 * self.folded:.1f} % of the validation plates right (folded)"
        return f"step {self.step} of {steps}, {self.seconds_per_step:.2f} s each, {left:.0f} min left, loss {self.loss:.3f}{right}"


class Lines:
    """An endless torch data set: of every batch, a share of real lines. ``worker`` tells its processes apart."""

    def __init__(self, config: ReaderTraining, real: list[RealCrop], start: int) -> None:
        self.config, self.real, self.start = config, real, start

    def __iter__(self) -> Iterator[tuple[Floats, list[int]]]:
        import cv2
        import torch

        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        seed = self.config.seed
        synthetic = synthetic_lines(self.config.synth, seed, self.start + worker, workers)
        real = real_lines(self.real, seed + 1000 * worker + self.start)
        dice = np.random.default_rng((seed, self.start, worker))
        while True:
            source = real if self.real and dice.random() < self.config.real_share else synthetic
            picture, text = next(source)
            if text:
                yield picture, [self.config.alphabet.index(c) + 1 for c in text]


def collate(lines: list[tuple[Floats, list[int]]]) -> tuple[Any, Any, Any]:
    """Give pictures (n, 3, 48, 224), the classes of all texts one after the other, and the texts' lengths."""
    import torch

    pictures = torch.from_numpy(np.stack([picture for picture, _ in lines]))
    return pictures, torch.tensor([c for _, text in lines for c in text]), torch.tensor([len(text) for _, text in lines])


def train_reader(config: ReaderTraining, manifests: list[Path], out: Path, *, resume: bool = False, tell: Any = None) -> Path:
    """Train and give the folder with ``inference.onnx`` and ``inference.yml``. ``tell`` gets a Progress now and then.

    Raises UsageError if there is nothing to resume.
    """
    import torch

    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)
    published = slice_onnx(config.start(), config.alphabet)
    net = trainable(published).to(config.torch_device())
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.average))
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    checkpoint, begin = out / "checkpoint.pt", 0
    if resume:
        if not checkpoint.is_file():
            raise UsageError(f"{checkpoint}: nothing to resume; start without --resume")
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        begin = state["step"]
    # From the step count alone, so that a run may be resumed for more or fewer steps than it was begun for.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        config.learning_rate,
        config.steps,
        pct_start=config.warmup,
        final_div_factor=50,
        cycle_momentum=False,
        last_epoch=begin - 1,
    )
    out.mkdir(parents=True, exist_ok=True)
    lines = Lines(config, real_crops(manifests, "train", config.alphabet), begin * config.batch)
    loader = torch.utils.data.DataLoader(
        lines_dataset(lines),
        batch_size=config.batch,
        num_workers=config.workers,
        collate_fn=collate,
        prefetch_factor=4 if config.workers else None,
    )
    validation = real_crops(manifests, "val", config.alphabet)
    ctc = torch.nn.CTCLoss(blank=0, zero_infinity=True)
    began, late, batches = time.monotonic(), 0.0, iter(loader)
    for step in range(begin + 1, config.steps + 1):
        pictures, targets, lengths = next(batches)
        probabilities = net(pictures.to(config.torch_device())).clamp_min(1e-8).log().transpose(0, 1)
        steps = torch.full((len(lengths),), probabilities.shape[0], dtype=torch.long)
        loss = ctc(probabilities, targets, steps, lengths)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        late = loss.item() if step == begin + 1 else 0.98 * late + 0.02 * loss.item()
        if step % config.every == 0 or step == config.steps:
            state = {"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(state | {"step": step}, checkpoint)
            folded = share_right(average.module, validation, config.alphabet) if validation else None
            write_reader(out, published, average.module.state_dict(), config.alphabet)
            if tell:
                tell(Progress(step, late, (time.monotonic() - began) / (step - begin), folded))
        elif tell and step % 50 == 0:
            tell(Progress(step, late, (time.monotonic() - began) / (step - begin)))
    return out


def lines_dataset(lines: Lines) -> Any:
    """Wrap for torch, which wants a subclass of its own."""
    import torch

    class _Dataset(torch.utils.data.IterableDataset):  # type: ignore[misc]
        def __iter__(self) -> Iterator[tuple[Floats, list[int]]]:
            return iter(lines)

    return _Dataset()


def share_right(net: Any, crops: list[RealCrop], alphabet: str) -> float:
    """Give the share of crops whose whole text is right, folded, cut once a little loosely, as one line."""
    import torch

    dice = np.random.default_rng(0)
    right = 0
    with torch.no_grad():
        for crop in crops:
            output = net(torch.from_numpy(to_input(whole(cut_loosely(crop, dice))))[None])[0]
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
