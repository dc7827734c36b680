"""The weights of an ONNX graph as layers in the order in which they compute: convolutions, linear layers, normalisations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
LayerKind = Literal["conv", "linear", "norm"]

_TRANSPARENT = ("Identity", "Cast", "Dropout")


@dataclass(slots=True)
class BatchNorm:
    """Scale, shift, mean and variance per channel, and what is added to the variance."""

    scale: Floats
    shift: Floats
    mean: Floats
    variance: Floats
    epsilon: float


@dataclass(slots=True)
class OnnxLayer:
    """A layer with weights."""

    kind: LayerKind
    weight: Floats
    """conv: (out, in / groups, height, width); linear: (in, out); norm: (channels,)."""
    bias: Floats | None = None
    """(out,): its own, or of an Add behind it."""
    batch_norm: BatchNorm | None = None
    """Behind a convolution, where the file keeps it apart."""


def layers_of(model: Any) -> list[OnnxLayer]:
    """Give the layers of an onnx.ModelProto in the graph's order, which ONNX requires to be an order of computation.

    A linear layer is a MatMul or Gemm with a weight; a layer norm a LayerNormalization, or the Mul by a vector that ends one
    written out in single operations; biases are taken from the layer or from the Add behind it.
    """
    constants = _constants(model)
    by_output: dict[str, OnnxLayer] = {}
    layers: list[OnnxLayer] = []
    for node in model.graph.node:
        inputs = [constants.get(name) for name in node.input]
        if layer := _begun(node, inputs):
            layers.append(layer)
        else:
            layer = next((by_output[name] for name in node.input if name in by_output), None)
            if layer is None or not _continues(node, inputs, layer):
                continue
        by_output[node.output[0]] = layer
    return layers


def _constants(model: Any) -> dict[str, Floats]:
    from onnx import TensorProto, numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors.update((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")
    values = {name: numpy_helper.to_array(t) for name, t in tensors.items() if t.data_type == TensorProto.FLOAT}
    return {name: value for name, value in values.items() if value.size > 1}


def _begun(node: Any, inputs: list[Floats | None]) -> OnnxLayer | None:
    """Give the layer that begins with a node, if one does."""
    given = [value for value in inputs if value is not None]
    if not given:
        return None
    weight, bias = given[0], given[1] if len(given) > 1 else None
    if node.op_type == "Conv":
        return OnnxLayer("conv", weight, bias)
    if node.op_type == "MatMul" and weight.ndim == 2:
        return OnnxLayer("linear", weight)
    if node.op_type == "Gemm" and weight.ndim == 2:
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return OnnxLayer("linear", weight.T if turned else weight, bias)
    if node.op_type == "LayerNormalization" or (node.op_type == "Mul" and weight.ndim == 1):
        return OnnxLayer("norm", weight, bias)
    return None


def _continues(node: Any, inputs: list[Floats | None], layer: OnnxLayer) -> bool:
    """Take the bias or the batch norm that stands behind a layer; say whether the node still belongs to it."""
    given = [value for value in inputs if value is not None]
    if node.op_type in _TRANSPARENT:
        return True
    if node.op_type == "Add" and len(given) == 1 and layer.bias is None and layer.batch_norm is None:
        layer.bias = given[0].reshape(-1)
        return True
    if node.op_type == "BatchNormalization" and layer.kind == "conv" and len(given) == 4:
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        layer.batch_norm = BatchNorm(given[0], given[1], given[2], given[3], epsilon)
        return True
    return False
