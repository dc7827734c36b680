"""A detector's checkpoint as it ships: half precision, without the optimiser and without traces of the machine."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path, PurePath
from typing import Any

from streamer.detector.export import quiet_ultralytics
from streamer.errors import UsageError

KEPT = ("model", "train_args", "version", "license")


def shippable(checkpoint: Path) -> bytes:
    """Give the bytes of a checkpoint to ship; the same for the same weights. Raises UsageError if it cannot be loaded.

    Paths in its arguments become bare names. Of the two copies of the weights that training keeps, the averaged one stays.
    """
    with tempfile.TemporaryDirectory(prefix="plate-train-") as settings, quiet_ultralytics(Path(settings)):
        import torch
        from ultralytics.utils.patches import torch_load

        try:
            content: dict[str, Any] = torch_load(checkpoint, map_location="cpu")  # type: ignore[no-untyped-call]
            model = content.get("ema") or content["model"]
        except Exception as error:  # unpickling a damaged file may raise anything
            raise UsageError(f"{checkpoint}: is no checkpoint of ultralytics ({type(error).__name__}: {error})") from error
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


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out what does not survive, and reduce paths to names."""
    kept = {key: value for key, value in arguments.items() if isinstance(value, str | int | float | bool | None)}
    return {key: PurePath(value).name if isinstance(value, str) and "/" in value else value for key, value in kept.items()}
