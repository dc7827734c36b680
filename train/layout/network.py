"""The network that says where the lines of characters are, and its ONNX file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamer.errors import StreamerError
from streamer.reader.platelayout import INPUT_HEIGHT, INPUT_WIDTH, OUTPUTS

TOLERANCE = 1e-4
"""The ONNX file's outputs differ from torch's by less."""


class ExportError(StreamerError):
    """The exported network gives other answers than the trained one."""


class LayoutNet(nn.Module):
    """Convolutions down to 4 x 8 places, then all places together: where a corner is needs more than an average over the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _step(3, 16, 2),  # 32 x 64
            _step(16, 24, 2),  # 16 x 32
            _step(24, 48, 2),  # 8 x 16
            _step(48, 48, 1),
            _step(48, 64, 2),  # 4 x 8
            _step(64, 64, 1),
            nn.Conv2d(64, 32, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
        )
        places = 32 * (INPUT_HEIGHT // 16) * (INPUT_WIDTH // 16)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(places, 112), nn.ReLU(inplace=True), nn.Linear(112, OUTPUTS))
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():  # begin with the usual places
            last.weight.mul_(0.1)
            last.bias.copy_(torch.tensor([0.0, *_usual(0.3, 0.75), *_usual(0.15, 0.45), *_usual(0.55, 0.85)]))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Take (n, 3, INPUT_HEIGHT, INPUT_WIDTH), -1..1, BGR; give (n, OUTPUTS): a logit, then corners as shares of the crop."""
        return self.head(self.features(pictures))  # type: ignore[no-any-return]


def _step(before: int, after: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _usual(top: float, bottom: float) -> list[float]:
    return [0.12, top, 0.88, top, 0.88, bottom, 0.12, bottom]


class _Shipped(nn.Module):
    """The network with a probability in the place of the logit."""

    def __init__(self, net: LayoutNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        out = self.net(pictures)
        return torch.cat((torch.sigmoid(out[:, :1]), out[:, 1:]), dim=1)


def parameters_of(net: nn.Module) -> int:
    """Count the trained numbers."""
    return sum(p.numel() for p in net.parameters())


def export_onnx(net: LayoutNet, path: Path) -> float:
    """Write the network, BatchNorm folded into its convolutions, for one crop at a time; give the greatest difference of its outputs.

    Raises ExportError if it gives other answers than the network.
    """
    import onnxruntime as ort

    shipped = _Shipped(net).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    blank = torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH)
    with warnings.catch_warnings():  # the exporter that is to replace it needs a package more, and gives nothing more here
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(shipped, (blank,), str(path), dynamo=False, opset_version=17, input_names=["crop"], output_names=["lines"])
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pictures: NDArray[Any] = np.random.default_rng(0).uniform(-1, 1, (16, 3, INPUT_HEIGHT, INPUT_WIDTH)).astype(np.float32)
    with torch.no_grad():
        wanted = shipped(torch.from_numpy(pictures)).numpy()
    given = np.concatenate([np.asarray(session.run(None, {"crop": picture[None]})[0]) for picture in pictures])
    difference = float(np.abs(wanted - given).max())
    if difference > TOLERANCE:
        raise ExportError(f"{path}: the exported network differs by {difference:.2g}; at most {TOLERANCE:g} is allowed")
    return difference
