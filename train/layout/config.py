"""configs/train/layout.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.errors import UsageError
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
    try:
        given = yaml.safe_load(path.read_text("utf-8")) if path else {}
        if not isinstance(given or {}, dict):
            raise UsageError(f"{path}: must be keys with values, as configs/train/layout.yaml has them")
        return LayoutTraining.model_validate((given or {}) | {key: value for key, value in changes.items() if value is not None})
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no YAML ({error})") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in error.errors())
        raise UsageError(f"{path or 'options'}: {told}") from error
