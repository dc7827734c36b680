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


def quantise(
    source: Path,
    target: Path,
    inputs: Iterable[npt.NDArray[np.float32]],
    *,
    keep: Iterable[str] = (),
    keep_types: Iterable[str] = (),
    transformer: bool = False,
) -> None:
    """Write ``target`` (.xml, .bin): weights and activations in int8, their ranges taken from ``inputs`` (n, 3, h, w).

    ``keep``, ``keep_types``: patterns of names and types of what stays in f32. Raises MissingPackageError without nncf.
    """
    if find_spec("nncf") is None:
        raise MissingPackageError("int8 needs the package nncf; install it with pip install 'plate-streamer[train]'")
    import logging

    import nncf  # type: ignore[import-untyped]
    import openvino

    logging.getLogger("nncf").setLevel(logging.ERROR)
    given = list(inputs)
    scope: Any = nncf.IgnoredScope(patterns=list(keep), types=list(keep_types), validate=False)
    quantised = nncf.quantize(
        openvino.Core().read_model(source),
        nncf.Dataset(given),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(given),
        ignored_scope=scope,
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
    )
    openvino.save_model(quantised, target, compress_to_fp16=False)
