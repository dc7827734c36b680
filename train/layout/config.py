"""configs/train/layout.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from train.settings import read_settings
from train.synth import SynthConfig


class LayoutTraining(BaseModel):
    """How the network that finds lines of characters is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crops: int = Field(default=16_000, ge=16)
    """Crops that are rendered; each is cut, turned and coloured anew every time it is seen."""
    steps: int = Field(default=6_000, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    """The schedule ends after so long instead of after ``steps``."""
    batch: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=0.003, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    seed: int = 0
    workers: int = Field(default=1, ge=1)
    """Processes that render."""
    threads: int = Field(default=1, ge=1)
    """Threads of torch."""
    synth: SynthConfig = SynthConfig()
    """As configs/train/synth.yaml."""


def read_layout_training(path: Path | None, **changes: Any) -> LayoutTraining:
    """Read the configuration; ``changes`` that are not None win. Raises UsageError naming the file and the key."""
    return read_settings(path, LayoutTraining, "configs/train/layout.yaml", **changes)
