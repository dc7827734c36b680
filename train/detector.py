"""Training of the plate detector with ultralytics, from a YOLO data set and a configuration file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer import weights
from streamer.errors import UsageError
from train.augment import Weather

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_log = logging.getLogger(__name__)


class Augment(Weather):
    """Weather, and what ultralytics does to geometry and colour (its meanings and units)."""

    mosaic: Share = 1.0
    scale: Share = 0.5
    degrees: float = Field(default=0.0, ge=0.0, le=180.0)
    shear: float = Field(default=0.0, ge=0.0, le=45.0)
    perspective: float = Field(default=0.0, ge=0.0, le=0.001)
    translate: Share = 0.1
    flip: Share = 0.0
    hue: Share = 0.015
    saturation: Share = 0.7
    brightness: Share = 0.4


class DetectorTraining(BaseModel):
    """configs/train/detector.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "plate-detector"
    """A name of the manifest or a .pt file to start from; yolov8n.yaml and the like start from scratch."""
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=20, ge=1)
    """Epochs without a better validation before training stops."""
    input_size: int = Field(default=640, ge=64, multiple_of=32)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=0.002, gt=0)
    warmup_epochs: float = Field(default=0.5, ge=0)
    close_mosaic: int = Field(default=2, ge=0)
    seed: int = 0
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    workers: int = Field(default=1, ge=0)
    augment: Augment = Augment()


def read_training(path: Path | None, **changes: Any) -> DetectorTraining:
    """Read the configuration; ``changes`` that are not None win. Raises UsageError naming the file and the key."""
    try:
        given = yaml.safe_load(path.read_text("utf-8")) if path else {}
        return DetectorTraining.model_validate((given or {}) | {key: value for key, value in changes.items() if value is not None})
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is no YAML ({error})") from error
    except ValidationError as error:
        first = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in error.errors())
        raise UsageError(f"{path or 'options'}: {first}") from error


def train_detector(data: Path, config: DetectorTraining, out: Path, *, resume: bool = False) -> Path:
    """Train on a YOLO data set (``data``: its data.yaml) and give the best weights, ``out/weights/best.pt``.

    Every epoch is saved; ``resume`` goes on after the last one of the run in ``out``. Raises UsageError if there is nothing
    to resume, or no data.
    """
    if not data.is_file():
        raise UsageError(f"{data}: there is no such file; it must be a YOLO data.yaml with train, val and names")
    last = out / "weights" / "last.pt"
    if resume and not last.is_file():
        raise UsageError(f"{last}: nothing to resume; start without --resume")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    from ultralytics import YOLO

    if resume:
        YOLO(str(last)).train(resume=True, augmentations=config.augment.transforms())
    else:
        out.mkdir(parents=True, exist_ok=True)
        YOLO(_start(config.model)).train(
            data=str(_resolved(data, out)), project=str(out.parent.absolute()), name=out.name, exist_ok=True, **_arguments(config)
        )
    return out / "weights" / "best.pt"


def _resolved(data: Path, out: Path) -> Path:
    """Copy the data.yaml into the run with its path made absolute: ultralytics takes a relative one from where it was started."""
    try:
        content = yaml.safe_load(data.read_text("utf-8"))
        content["path"] = str((data.parent / content.get("path", ".")).resolve())
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise UsageError(f"{data}: is no YOLO data.yaml ({error})") from error
    copy = out / "data.yaml"
    copy.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return copy


def _start(model: str) -> str:
    return model if model.endswith(".yaml") else str(weights.resolve(model, prefer="torch"))


def _arguments(config: DetectorTraining) -> dict[str, Any]:
    import torch

    device = config.device if config.device != "auto" else ("cuda:0" if torch.cuda.is_available() else "cpu")
    a = config.augment
    return {
        "epochs": config.epochs,
        "patience": config.patience,
        "imgsz": config.input_size,
        "batch": config.batch,
        "optimizer": "AdamW",
        "lr0": config.learning_rate,
        "momentum": 0.9,
        "warmup_epochs": config.warmup_epochs,
        "warmup_bias_lr": 0.0,  # AdamW needs no faster start of the biases
        "cos_lr": True,
        "lrf": 0.02,
        "close_mosaic": config.close_mosaic,
        "seed": config.seed,
        "device": device,
        "workers": config.workers,
        "save_period": 1,
        "plots": True,
        "amp": device != "cpu",
        "mosaic": a.mosaic,
        "scale": a.scale,
        "degrees": a.degrees,
        "shear": a.shear,
        "perspective": a.perspective,
        "translate": a.translate,
        "fliplr": a.flip,
        "hsv_h": a.hue,
        "hsv_s": a.saturation,
        "hsv_v": a.brightness,
        "augmentations": a.transforms(),
    }
