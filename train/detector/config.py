"""configs/train/detector.yaml and characters.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from train.augment import TYPICAL, Augment
from train.settings import read_settings


class DetectorTraining(BaseModel):
    """How a detector is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "plate-detector"
    """A name of weights/manifest.json or a .pt file to start from; yolov8n, yolov8s, yolov8m start from scratch."""
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=20, ge=1)
    """Epochs without a better validation before training stops."""
    input_size: int = Field(default=640, ge=64, multiple_of=32)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=0.002, gt=0)
    warmup_epochs: float = Field(default=0.5, ge=0)
    freeze: int = Field(default=0, ge=0)
    """So many of the first layers stay as they are: less time, less change. The backbone of YOLOv8 has ten."""
    keep: float = Field(default=0.0, ge=0, lt=1)
    """Share of the start's weights in what comes out (a mean, see train.detector.average)."""
    close_mosaic: int = Field(default=2, ge=0)
    seed: int = 0
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    workers: int = Field(default=1, ge=0)
    plots: bool = True
    """Draw curves and sample pictures into the run."""
    val: float = Field(default=0.15, gt=0, lt=1)
    """Share of the groups that validate, where the data set does not say."""
    augment: Augment = TYPICAL
    """Of a section that is given, what it leaves out is not done; without one, as configs/train/detector.yaml says."""


def read_training(path: Path | None, **changes: Any) -> DetectorTraining:
    """Read the configuration; ``changes`` that are not None win. Raises UsageError naming the file and the key."""
    return read_settings(path, DetectorTraining, "configs/train/detector.yaml", **changes)
