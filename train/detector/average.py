"""The mean of the weights that a training began with and of those that it gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.errors import UsageError


def average(start: Path, trained: Path, keep: float, out: Path) -> Path:
    """Write a checkpoint of ``keep`` times the weights of ``start`` plus (1 - ``keep``) times those of ``trained``.

    What a short training on other pictures gains is kept so, and less of what the start knew is lost: Wortsman et al., Robust
    fine-tuning of zero-shot models, https://arxiv.org/abs/2109.01903. Both are checkpoints of ultralytics; raises UsageError
    if they are not of one network.
    """
    import torch

    before = _network(start).state_dict()
    content = torch.load(trained, map_location="cpu", weights_only=False)  # the run is the user's own
    model = (content.get("ema") or content["model"]).float()
    after = model.state_dict()
    if {name: values.shape for name, values in before.items()} != {name: values.shape for name, values in after.items()}:
        raise UsageError(f"{start}: has other layers or classes than {trained}, so that there is no mean of them; set keep: 0")
    mixed = {
        name: keep * before[name] + (1 - keep) * values if values.dtype.is_floating_point else values for name, values in after.items()
    }
    model.load_state_dict(mixed)
    content |= {"model": model.half(), "ema": None, "optimizer": None, "updates": None}
    torch.save(content, out)
    return out


def _network(checkpoint: Path) -> Any:
    import torch

    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    return (content.get("ema") or content["model"]).float()
