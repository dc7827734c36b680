"""OpenVINO models to int8, by calibration after training."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.errors import MissingPackageError

BOX_ARITHMETIC = (r".*model\.\d+/.*(Add|Sub|Mul|Div).*", r".*model\.\d+.*dfl.*")
"""Names of what YOLOv8's head does after its convolutions: distances to corners, which need more than eight bits."""


READER_TYPES = ("MatMul", "GroupConvolution", "Add", "Multiply", "Subtract", "Divide", "ReduceMean", "AvgPool", "MaxPool")
"""What stays in f32 in a reader, besides ``reader_gates``: a tenth of its time. With all of it in int8, of 669 lines (training plates,
rendered and validation ones) 17 that f32 reads right are lost; so, and with weights in seven bits, 3 are lost and 3 won."""


def quantise(
    source: Path,
    target: Path,
    inputs: Iterable[npt.NDArray[np.float32]],
    *,
    keep: Iterable[str] = (),
    keep_types: Iterable[str] = (),
    keep_names: Iterable[str] = (),
    seven_bits: bool = False,
) -> None:
    """Write ``target`` (.xml, .bin): weights and activations in int8, their ranges taken from ``inputs`` (n, 3, h, w).

    ``keep``, ``keep_types``, ``keep_names``: patterns of names, types and names of what stays in f32. ``seven_bits``: weights use half
    of their range, so that processors without VNNI, which add products in 16 bits, do not overflow: the answers are then the same on
    all. Raises MissingPackageError without nncf.
    """
    if find_spec("nncf") is None:
        raise MissingPackageError("int8 needs the package nncf; install it with pip install 'plate-streamer[train]'")
    import logging

    import nncf  # type: ignore[import-untyped]
    import openvino
    from nncf.quantization.advanced_parameters import (  # type: ignore[import-untyped]
        AdvancedQuantizationParameters,
        OverflowFix,
    )

    logging.getLogger("nncf").setLevel(logging.ERROR)
    given = list(inputs)
    scope: Any = nncf.IgnoredScope(names=list(keep_names), patterns=list(keep), types=list(keep_types), validate=False)
    quantised = nncf.quantize(
        openvino.Core().read_model(source),
        nncf.Dataset(given),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(given),
        ignored_scope=scope,
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE if seven_bits else None),
    )
    openvino.save_model(quantised, target, compress_to_fp16=False)


def reader_gates(source: Path, shape: tuple[int, int, int, int]) -> list[str]:
    """Name the convolutions of a reader, an .onnx file, that eight bits are too few for; ``shape``: (1, 3, h, w) of its input.

    That is the first one, whose input has no spread that calibration could tell, and those of the gates on whole pictures
    (squeeze and excitation, https://arxiv.org/abs/1709.01507): int8 leaves 8 to 17 dB between signal and error in them, 22 to 38 in others.
    """
    import openvino

    model = openvino.Core().read_model(source)
    model.reshape(list(shape))
    named = []
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        first = node.input_value(0).get_node().get_type_name() == "Parameter"
        if first or list(node.input(0).get_shape())[2:] == [1, 1]:
            named.append(node.get_friendly_name())
    return named
