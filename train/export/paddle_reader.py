"""A fine-tuned PP-OCRv6 small recogniser, ONNX to Paddle's own format: ``python -m train.export.paddle_reader FOLDER``.

PaddleX carries the network's code for Paddle; the weights are copied into it layer by layer, in the order in which both compute.
Batch norms that the ONNX file has folded into their convolutions become ones that only add the bias. A program of its own,
because two deep-learning frameworks in one process have crashed each other (PaddleOCR#18208).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.errors import UsageError
from train.export.onnx_layers import LayerKind, OnnxLayer, layers_of

Floats = npt.NDArray[np.float32]

TOLERANCE = 1e-3
"""Largest difference of a probability. On noise it is some 1e-6; where a network cannot decide between two characters, the
order of additions alone moves it by some 1e-4."""


def export_paddle(folder: Path, pictures: Sequence[Floats] = (), tolerance: float = TOLERANCE) -> float:
    """Write ``inference.json`` and ``inference.pdiparams`` beside ``inference.onnx`` and give the largest difference.

    Both are run on noise of several sizes and on ``pictures``: float32 (n, 3, 48, width), -1..1. Raises UsageError if the
    ONNX file is not a PP-OCRv6 small recogniser, or if a probability differs by more than ``tolerance``; nothing is written then.
    """
    import onnx

    source = folder / "inference.onnx"
    if not source.is_file():
        raise UsageError(f"{source}: missing; a reader is a folder with inference.onnx and inference.yml")
    layers = layers_of(onnx.load(str(source)))
    net = _network(layers, source)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".paddle-") as temporary:
        saved = _save(net, Path(temporary))
        difference = _compare(saved, source, [*_noise(), *pictures])
        if difference > tolerance:
            raise UsageError(f"{source}: in Paddle a probability differs by {difference:.2g}, more than {tolerance:.2g}; not written")
        for name in ("inference.json", "inference.pdiparams"):
            (Path(temporary) / name).replace(folder / name)
    return difference


def _network(layers: Sequence[OnnxLayer], source: Path) -> Any:
    """Build PaddleX's network with the head as wide as the file's, and fill it."""
    # See streamer.reader.recognisers: PaddleX imports a downloader, which imports torch.
    sys.modules.setdefault("modelscope", ModuleType("modelscope"))
    import paddle
    from paddlex.inference.models.text_recognition.modeling import pp_ocrv6_small_rec as small

    paddle.device.set_device("cpu")
    linears = [layer for layer in layers if layer.kind == "linear"]
    if not linears:
        raise UsageError(f"{source}: has no linear layer; not a PP-OCRv6 small recogniser")
    config = small.PPOCRV6SmallRecConfig(head_out_channels=int(linears[-1].weight.shape[1]))

    class Recogniser(paddle.nn.Layer):  # type: ignore[misc, name-defined, unused-ignore]
        """PaddleX's own class, without its way through NumPy, which cannot be saved as a graph."""

        def __init__(self) -> None:
            super().__init__()
            self.model = small.PPOCRV6SmallRecModel(config)
            self.head = small.PPOCRV6SmallRecHead(config)

        def forward(self, x: Any) -> Any:
            return self.head(self.model(x))

    net = Recogniser()
    net.eval()
    _fill(net, layers, source)
    return net


def _fill(net: Any, layers: Sequence[OnnxLayer], source: Path) -> None:
    from paddle import nn

    kinds: dict[type, LayerKind] = {nn.Conv2D: "conv", nn.Linear: "linear", nn.LayerNorm: "norm"}
    called = _order_of_calls(net, (*kinds, nn.BatchNorm2D))
    counts = {
        kind: (sum(layer.kind == kind for layer in layers), sum(kinds.get(type(c)) == kind for c in called)) for kind in kinds.values()
    }
    if any(found != wanted for found, wanted in counts.values()):
        said = ", ".join(f"{found} {kind} layers instead of {wanted}" for kind, (found, wanted) in counts.items() if found != wanted)
        raise UsageError(f"{source}: has {said}; not a PP-OCRv6 small recogniser")
    rest = {kind: iter([layer for layer in layers if layer.kind == kind]) for kind in kinds.values()}
    for index, layer in enumerate(called):
        if isinstance(layer, nn.BatchNorm2D):
            continue
        given = next(rest[kinds[type(layer)]])
        behind = called[index + 1] if index + 1 < len(called) else None
        _set(layer.weight, given.weight, layer, source)
        if isinstance(behind, nn.BatchNorm2D) and isinstance(layer, nn.Conv2D):
            _set_batch_norm(behind, given, source)
        elif layer.bias is not None:
            _set(layer.bias, np.zeros(layer.bias.shape, np.float32) if given.bias is None else given.bias, layer, source)


def _order_of_calls(net: Any, kinds: tuple[Any, ...]) -> list[Any]:
    """Run the network once and note in which order its layers are called."""
    import paddle

    called: list[Any] = []
    hooks = [
        layer.register_forward_post_hook(lambda layer, _inputs, _output: called.append(layer))
        for layer in net.sublayers()
        if isinstance(layer, kinds)
    ]
    with paddle.no_grad():
        net(paddle.zeros([1, 3, 48, 64]))
    for hook in hooks:
        hook.remove()
    return called


def _set_batch_norm(layer: Any, given: OnnxLayer, source: Path) -> None:
    """Copy a batch norm, or make one of the bias alone: scale 1, mean 0, and a variance that its epsilon brings to 1."""
    size = int(layer.weight.shape[0])
    ones, zeros = np.ones(size, np.float32), np.zeros(size, np.float32)
    bias = zeros if given.bias is None else given.bias
    norm = given.batch_norm
    if norm is None:
        values = (ones, bias, zeros, ones - np.float32(layer._epsilon))
    else:
        # Another epsilon goes into the variance; a bias of the convolution into the mean.
        values = (norm.scale, norm.shift, norm.mean - bias, norm.variance + np.float32(norm.epsilon - layer._epsilon))
    for parameter, value in zip((layer.weight, layer.bias, layer._mean, layer._variance), values, strict=True):
        _set(parameter, value, layer, source)


def _set(parameter: Any, value: Floats, layer: Any, source: Path) -> None:
    if tuple(parameter.shape) != value.shape:
        raise UsageError(
            f"{source}: weights {value.shape} where {type(layer).__name__} has {tuple(parameter.shape)}; not a PP-OCRv6 small recogniser"
        )
    parameter.set_value(np.ascontiguousarray(value, np.float32))


def _noise() -> list[Floats]:
    dice = np.random.default_rng(0)
    return [dice.uniform(-1, 1, (batch, 3, 48, width)).astype(np.float32) for batch, width in ((2, 224), (1, 320), (3, 64))]


def _compare(net: Any, source: Path, pictures: Sequence[Floats]) -> float:
    import onnxruntime
    import paddle

    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    worst = 0.0
    with paddle.no_grad():
        for batch in pictures:
            (wanted,) = session.run(None, {name: batch})
            worst = max(worst, float(np.abs(net(paddle.to_tensor(batch)).numpy() - wanted).max()))
    return worst


def _save(net: Any, folder: Path) -> Any:
    """Save as a graph for any number and width of pictures, and give it as it is loaded again."""
    import paddle

    paddle.jit.save(net, str(folder / "inference"), input_spec=[paddle.static.InputSpec([None, 3, 48, None], "float32", "x")])
    saved = paddle.jit.load(str(folder / "inference"))
    saved.eval()
    return saved


def main(folder: Path, pictures: Path | None = None) -> None:
    """Print the largest difference; a mistake becomes a message on standard error and exit code 2."""
    try:
        print(f"{export_paddle(folder, list(np.load(pictures)[:, None]) if pictures else ()):.3g}")
    except UsageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
