"""Networks that take pictures of any size, on OpenVINO or ONNX Runtime.

Every picture runs by itself: its result is the same to the last bit in whatever company it comes, and on a CPU a larger
batch is not faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streamer.errors import WeightsError
from streamer.types import Image

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What the network wants of a pixel x (0..255, BGR): (x - mean) / scale, by channel."""

    mean: tuple[float, float, float]
    scale: tuple[float, float, float]

    def apply(self, picture: Image) -> Floats:
        """Give float32 (1, 3, h, w)."""
        scaled = (picture.astype(np.float32) - np.array(self.mean, np.float32)) / np.array(self.scale, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


class PictureNet(Protocol):
    """A loaded network."""

    @property
    def backend(self) -> str:
        """For example ``openvino cpu f32``."""

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """Take uint8 (h, w, 3) BGR pictures, sizes may differ; give the first output of each, without the batch axis."""


class OpenVinoNet:
    """OpenVINO on the CPU; scaling and layout are part of the compiled graph."""

    def __init__(self, path: Path, scaling: Scaling, threads: int) -> None:
        """Compile. Raises WeightsError if the file is damaged."""
        import openvino as ov
        from openvino.preprocess import PrePostProcessor

        self._tensor = ov.Tensor
        core = ov.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise WeightsError(f"{path}: OpenVINO cannot read it ({str(error).strip().splitlines()[0]})") from error
        model.reshape([1, 3, -1, -1])
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(ov.Type.f32).mean(list(scaling.mean)).scale(list(scaling.scale))
        options = {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        compiled = core.compile_model(steps.build(), "CPU", options)
        self.backend = f"openvino cpu {compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()}"
        self._queue = ov.AsyncInferQueue(compiled, threads)

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See PictureNet."""
        results: list[Any] = [None] * len(pictures)

        def keep(request: Any, index: int) -> None:
            results[index] = request.get_output_tensor(0).data[0].copy()

        self._queue.set_callback(keep)
        for index, picture in enumerate(pictures):
            self._queue.start_async({0: self._tensor(np.ascontiguousarray(picture)[None])}, index)
        self._queue.wait_all()
        return results


class OnnxNet:
    """ONNX Runtime on the CPU."""

    backend = "onnxruntime cpu f32"

    def __init__(self, path: Path, scaling: Scaling, threads: int) -> None:
        """Load. Raises WeightsError if the file is damaged."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors share no base class
            raise WeightsError(f"{path}: ONNX Runtime cannot read it ({str(error).strip().splitlines()[0]})") from error
        self._scaling = scaling
        self._input = self._session.get_inputs()[0].name

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See PictureNet."""
        return [self._session.run(None, {self._input: self._scaling.apply(picture)})[0][0] for picture in pictures]
