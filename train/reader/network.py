"""PP-OCRv6 recognition, as published or as trained here (ONNX), to a torch module with the head of a plate alphabet, and back to ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import UsageError
from streamer.plates.text import ALPHABET
from streamer.reader.text import OUTSIDE
from train.export.reader_settings import read_characters

LATIN = ALPHABET
OTHER = OUTSIDE
"""Class of a character outside the alphabet (a Chinese province sign): seen, counted, never filled with a look-alike."""

_OTHERS = "京沪粤苏浙鲁"
"""Characters whose rows of the published head, averaged, begin the class OTHER: the province signs seen most."""


def slice_onnx(source: Path, alphabet: str = LATIN + OTHER) -> Any:
    """Give a recogniser, the published one or one that was trained here, as an onnx.ModelProto with a head of the blank and ``alphabet``.

    Its characters are those of the ``inference.yml`` beside it, else of its metadata. Raises UsageError if neither tells
    them, or if one of the alphabet is missing.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(source))
    characters = _characters(source, model)
    missing = [c for c in alphabet if c != OTHER and c not in characters]
    if missing:
        raise UsageError(f"{source}: cannot begin with characters that it does not know: {' '.join(missing)}")
    classes = next(d.dim_value for d in reversed(model.graph.output[0].type.tensor_type.shape.dim) if d.dim_value)
    # A network of ours has a class OTHER; for the published one, which knows an asterisk, it is made.
    others = [c for c in _OTHERS if c in characters] or [OTHER]
    rows = [[0], *([1 + characters.index(s) for s in (others if c == OTHER else c)] for c in alphabet)]
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if classes in values.shape:
            axis = values.shape.index(classes)
            kept = np.stack([values.take(row, axis=axis).mean(axis=axis) for row in rows], axis=axis)
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(kept.astype(values.dtype)), tensor.name))
    for node in model.graph.node:
        _explicit_pads(node, helper)
    del model.graph.value_info[:]
    helper.set_model_props(model, {"character": "\n".join(alphabet)})
    shape = model.graph.output[0].type.tensor_type.shape
    shape.ClearField("dim")
    for size in ("batch", "steps", len(rows)):
        dimension = shape.dim.add()
        if isinstance(size, int):
            dimension.dim_value = size
        else:
            dimension.dim_param = size
    return model


def _characters(source: Path, model: Any) -> list[str]:
    settings = source.with_name("inference.yml")
    if settings.is_file():
        return read_characters(settings)
    stored = {entry.key: entry.value for entry in model.metadata_props}.get("character")
    if stored is None:
        raise UsageError(f"{source}: says nowhere what characters it knows; put the inference.yml of the model beside it")
    return stored.split("\n")


def _explicit_pads(node: Any, helper: Any) -> None:
    """Write ``auto_pad`` out: onnx2torch does not know it."""
    attributes = {a.name: a for a in node.attribute}
    if (
        node.op_type not in ("Conv", "MaxPool", "AveragePool")
        or attributes.get("auto_pad") is None
        or attributes["auto_pad"].s == b"NOTSET"
    ):
        return
    kernel = list(attributes["kernel_shape"].ints)
    strides = list(attributes["strides"].ints) if "strides" in attributes else [1] * len(kernel)
    total = [max(0, k - s) for k, s in zip(kernel, strides, strict=True)]
    pads = [p // 2 for p in total] + [p - p // 2 for p in total]
    for attribute in list(node.attribute):
        if attribute.name in ("auto_pad", "pads"):
            node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute("pads", pads))


def trainable(model: Any) -> Any:
    """Give a torch module of the (sliced) ONNX model, (n, 3, 48, w) to probabilities (n, w / 8, classes), all weights parameters.

    Statistics of its normalisation stay as published: batches are small and synthetic.
    """
    import torch
    from onnx2torch import convert

    net = convert(model)
    for name, buffer in list(net.named_buffers()):
        if "initializer" in name and buffer.dtype == torch.float32 and buffer.numel() > 1:
            owner, last = _owner(net, name)
            del owner._buffers[last]
            owner.register_parameter(last, torch.nn.Parameter(buffer.clone()))
    _fuse(net)
    return net.eval()


def _fuse(net: Any) -> None:
    """Make the same computation in fewer and faster steps; it halves the time of a step on a CPU.

    ONNX spells GELU as five operations; 1x1 convolutions take a slow path in torch (a matrix product on the last axis does not).
    """
    import torch
    from torch.nn import functional

    class Pointwise(torch.nn.Module):
        def __init__(self, convolution: Any) -> None:
            super().__init__()
            self.weight, self.bias = convolution.weight, convolution.bias

        def forward(self, x: Any) -> Any:
            return functional.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    modules = dict(net.named_modules())
    for name, module in modules.items():
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == module.stride == (1, 1) and module.groups == 1:
            owner, last = _owner(net, name)
            setattr(owner, last, Pointwise(module))
    for node in list(net.graph.nodes):
        if node.op == "call_module" and type(modules[node.target]).__name__ == "OnnxErf":
            x = node.args[0].args[0]  # GELU(x) = x (1 + erf(x / sqrt 2)) / 2, https://arxiv.org/abs/1606.08415
            end = node
            for _ in ("add", "mul", "mul"):
                (end,) = end.users
            with net.graph.inserting_before(end):
                end.replace_all_uses_with(net.graph.call_function(functional.gelu, (x,)))
    net.graph.eliminate_dead_code()
    net.recompile()


def to_onnx(model: Any, state: dict[str, Any]) -> Any:
    """Give the ONNX model that ``trainable`` took, with the weights of ``state`` (the module's state dict)."""
    import onnx
    from onnx import numpy_helper

    trained = onnx.ModelProto()
    trained.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in trained.graph.initializer}
    for parameter, (name, transposed) in _names(model).items():
        values = state[parameter].detach().cpu().numpy().astype(np.float32)
        values = values.T if transposed else values
        shape = tuple(tensors[name].dims)
        tensors[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values.reshape(shape)), name))
    return trained


def _names(model: Any) -> dict[str, tuple[str, bool]]:
    """Say which initializer each parameter of the module came from, and whether it lies transposed there.

    A copy of the model whose tensors hold their own number instead of weights is converted too, and the numbers looked up.
    """
    import onnx
    from onnx import numpy_helper

    tagged = onnx.ModelProto()
    tagged.CopyFrom(model)
    floats = [t for t in tagged.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and int(np.prod(t.dims)) > 1]
    for number, tensor in enumerate(floats):
        tensor.CopyFrom(numpy_helper.from_array(np.full(tuple(tensor.dims), number + 1, np.float32), tensor.name))
    found = {}
    for name, parameter in trainable(tagged).named_parameters():
        tensor = floats[round(float(parameter.detach().flatten()[0])) - 1]
        dims = tuple(tensor.dims)
        found[name] = (tensor.name, tuple(parameter.shape) != dims and tuple(parameter.shape) == dims[::-1])
    return found


def _owner(net: Any, name: str) -> tuple[Any, str]:
    *path, last = name.split(".")
    for part in path:
        net = getattr(net, part)
    return net, last
