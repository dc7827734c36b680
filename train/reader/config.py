"""configs/train/reader.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from streamer import weights
from train.reader.network import LATIN, OTHER
from train.settings import read_settings
from train.synth import SynthConfig, load_synth_config


class ReaderTraining(BaseModel):
    """How the recogniser is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "starter-reader"
    """A name of the manifest, a folder with inference.onnx, or an ONNX file: PP-OCRv6 small recognition, published or trained here."""
    letters: str = Field(default=LATIN, min_length=2)
    """The alphabet: each character once, capitals; the network to start from must know them. What else plates show is OTHER."""
    steps: int = Field(default=2400, ge=1)
    batch: int = Field(default=24, ge=1)
    learning_rate: float = Field(default=8e-5, gt=0)
    """Peak; 4e-4 destroys what the network knew."""
    warmup: float = Field(default=0.08, gt=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    average: float = Field(default=0.995, ge=0, lt=1)
    """Decay of the running mean of the weights, which is what is kept."""
    real_share: float = Field(default=0.25, ge=0, le=1)
    """Of the lines of a batch."""
    synth_file: Path | None = None
    """configs/train/synth.yaml or another; none: the defaults."""
    every: int = Field(default=250, ge=1)
    """Steps between checkpoints and measurements."""
    seed: int = 0
    workers: int = Field(default=1, ge=0)
    threads: int = Field(default=0, ge=0)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @field_validator("letters")
    @classmethod
    def _once_each(cls, letters: str) -> str:
        wrong = sorted({c for c in letters if letters.count(c) > 1 or c == OTHER or c.isspace() or c != c.upper()})
        if wrong:
            raise ValueError(f"each character once, no blanks, no lower case, no {OTHER}; wrong: {' '.join(map(repr, wrong))}")
        return letters

    @property
    def alphabet(self) -> str:
        """One character per class, after the blank."""
        return self.letters + OTHER

    @property
    def synth(self) -> SynthConfig | None:
        """Settings of the synthetic plates."""
        return load_synth_config(self.synth_file) if self.synth_file else None

    def start(self) -> Path:
        """Give the ONNX file to start from."""
        path = weights.resolve(self.model, prefer="onnx")
        return path / "inference.onnx" if path.is_dir() else path

    def torch_device(self) -> str:
        """Name the device as torch does."""
        import torch

        return self.device if self.device != "auto" else ("cuda:0" if torch.cuda.is_available() else "cpu")


def read_reader_training(path: Path | None, **changes: Any) -> ReaderTraining:
    """Read the configuration; ``changes`` that are not None win. Raises UsageError naming the file and the key."""
    return read_settings(path, ReaderTraining, "configs/train/reader.yaml", **changes)
