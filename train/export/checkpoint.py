"""A detector's checkpoint as it ships: half precision, without the optimiser and without traces of the machine."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from streamer.detector.export import quiet_ultralytics
from streamer.errors import UsageError

KEPT = ("model", "train_args", "version", "license")


@dataclass(frozen=True, slots=True)
class About:
    """What a checkpoint is."""

    names: tuple[str, ...]
    """Classes, in the order of their numbers."""
    corners: bool
    """Whether it finds keypoints."""
    size: int
    """Longest side of the pictures that it was trained with, pixels."""


def about(checkpoint: Path) -> About:
    """Say what a checkpoint is. Raises UsageError if it cannot be loaded."""
    with tempfile.TemporaryDirectory(prefix="plate-train-") as settings, quiet_ultralytics(Path(settings)):
        content, model = _load(checkpoint)
    names = tuple(str(name) for _, name in sorted(model.names.items()))
    # What ultralytics goes by when it loads one, the same default included.
    return About(names, hasattr(model, "kpt_shape"), int((content.get("train_args") or {}).get("imgsz") or 640))


def shippable(checkpoint: Path) -> bytes:
    """Give the bytes of a checkpoint to ship; the same for the same weights. Raises UsageError if it cannot be loaded.

    Paths in its arguments become bare names. Of the two copies of the weights that training keeps, the averaged one stays.
    """
    with tempfile.TemporaryDirectory(prefix="plate-train-") as settings, quiet_ultralytics(Path(settings)):
        import torch

        content, model = _load(checkpoint)
        model = model.half().eval()
        for parameter in model.parameters():
            parameter.requires_grad = False
        model.args = _plain(dict(model.args)) if hasattr(model, "args") else {}
        for name in ("criterion", "pt_path"):
            if hasattr(model, name):
                delattr(model, name)
        kept = {key: content[key] for key in KEPT if key in content} | {"model": model, "epoch": -1}
        kept["train_args"] = _plain(dict(content.get("train_args") or {}))
        stream = io.BytesIO()
        torch.save(kept, stream)
    return stream.getvalue()


def _load(checkpoint: Path) -> tuple[dict[str, Any], Any]:
    """Give what a checkpoint holds, and of its networks the averaged one where it has one; within ``quiet_ultralytics``."""
    from ultralytics.utils.patches import torch_load

    try:
        content: dict[str, Any] = torch_load(checkpoint, map_location="cpu")  # type: ignore[no-untyped-call]
        return content, content.get("ema") or content["model"]
    except Exception as error:  # unpickling a damaged file may raise anything
        raise UsageError(f"{checkpoint}: is no checkpoint of ultralytics ({type(error).__name__}: {error})") from error


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out what does not survive, and reduce paths to names."""
    kept = {key: value for key, value in arguments.items() if isinstance(value, str | int | float | bool | None)}
    return {key: PurePath(value).name if isinstance(value, str) and "/" in value else value for key, value in kept.items()}
