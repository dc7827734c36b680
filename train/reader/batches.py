"""Batches of lines, drawn by processes of their own while the network learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from train.reader.config import ReaderTraining
from train.reader.data import real_lines, synthetic_lines
from train.reader.network import OTHER
from train.reader.real import RealCrop
from train.reader.views import Floats

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Line = tuple[Floats, list[int]]


class Lines(IterableDataset[Line]):
    """Lines without end, a share of them real, from ``start`` on. Every process of a loader draws others."""

    def __init__(self, config: ReaderTraining, real: list[RealCrop], start: int) -> None:
        self.config, self.real, self.start = config, real, start

    def __iter__(self) -> Iterator[Line]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        seed = self.config.seed
        synthetic = synthetic_lines(self.config.synth, seed, self.start + worker, workers)
        real = real_lines(self.real, seed + 1000 * worker + self.start)
        dice = np.random.default_rng((seed, self.start, worker))
        while True:
            source = real if self.real and dice.random() < self.config.real_share else synthetic
            picture, text = next(source)
            if text:
                yield picture, classes_of(text, self.config.alphabet)


def batches(config: ReaderTraining, real: list[RealCrop], start: int) -> Iterator[Batch]:
    """Give, without end, pictures (n, 3, 48, 224), the classes of all texts one after the other, and the texts' lengths."""
    if not config.workers:
        return iter(DataLoader(Lines(config, real, start), config.batch, collate_fn=_joined))
    loader = DataLoader(
        Lines(config, real, start),
        config.batch,
        collate_fn=_joined,
        num_workers=config.workers,
        prefetch_factor=4,
        worker_init_fn=_alone,
        multiprocessing_context="spawn",  # a copy of this process would wait for OpenCV's threads, which are not copied
    )
    return iter(loader)


def _alone(_worker: int) -> None:
    cv2.setNumThreads(1)


def classes_of(text: str, alphabet: str) -> list[int]:
    """Give the classes of a text; a character that is not in ``alphabet`` is of the class OTHER, which must be."""
    other = alphabet.index(OTHER)
    return [1 + (place if (place := alphabet.find(character)) >= 0 else other) for character in text]


def _joined(lines: list[Line]) -> Any:
    pictures = torch.from_numpy(np.stack([picture for picture, _ in lines]))
    return pictures, torch.tensor([c for _, text in lines for c in text]), torch.tensor([len(text) for _, text in lines])
