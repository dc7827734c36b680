"""Networks on OpenVINO and on ONNX Runtime: pictures in, one array each out.

Every picture is computed by itself: a batch would have to be padded to its widest picture, and then a text would depend on
the company in which its crop came. OpenVINO works on one picture per thread at the same time instead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streamer.detector.nets import is_quantised
from streamer.errors import WeightsError
from streamer.types import Image

Floats = npt.NDArray[np.float32]

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a picture's values become the network's: ``(value - mean) / scale``, channel by channel."""

    mean: Triple
    scale: Triple

    def __call__(self, picture: Image) -> Floats:
        """Give (1, 3, height, width) of a uint8 (height, width, 3) picture."""
        scaled = (picture.astype(np.float32) - np.array(self.mean, np.float32)) / np.array(self.scale, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


IMAGENET = Scaling((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))
"""Of PP-OCR's text detectors: the usual constants for red, green, blue, which PaddleOCR applies to blue, green, red."""

SYMMETRIC = Scaling((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
"""Of PP-OCR's recognisers: 0..255 becomes -1..1."""

UNIT = Scaling((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
"""Of YOLOv8: 0..255 becomes 0..1."""


class Net(Protocol):
    """A loaded network."""

    @property
    def backend(self) -> str:
        """For example ``openvino cpu f32``."""

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """Take uint8 (height, width, 3) BGR pictures; give the output of each, without a batch axis."""


def threads_of(configured: int) -> int:
    """Give the number of CPU threads: as configured, or one per core that this process may use."""
    return configured or len(os.sched_getaffinity(0))


class OpenVinoNet:
    """OpenVINO on the CPU; reads ``.xml`` and ``.onnx``.

    In f32, so that it gives the same text as ONNX Runtime, or in int8 where the file says so.
    """

    def __init__(self, path: Path, scaling: Scaling, threads: int) -> None:
        """Compile. Raises WeightsError if OpenVINO cannot."""
        import openvino as ov

        self._tensor = ov.Tensor
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            # Decoding and tracking need the cores too: the system moves threads better than a fixed plan does.
            "ENABLE_CPU_PINNING": False,
        }
        core = ov.Core()
        try:
            model = core.read_model(path)
            compiled = core.compile_model(_with_picture_input(model, scaling), "CPU", options)
        except RuntimeError as error:
            raise WeightsError(f"{path}: OpenVINO cannot use it as a text network ({_first_line(error)})") from error
        self._queue = ov.AsyncInferQueue(compiled, threads)
        self.backend = f"openvino cpu {'int8' if is_quantised(model) else 'f32'}"

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See Net."""
        results: list[Any] = [None] * len(pictures)

        def keep(request: Any, index: int) -> None:
            results[index] = request.get_output_tensor(0).data[0].copy()

        self._queue.set_callback(keep)
        for index, picture in enumerate(pictures):
            self._queue.start_async({0: self._tensor(np.ascontiguousarray(picture[None]))}, index)
        self._queue.wait_all()
        return results


def _with_picture_input(model: Any, scaling: Scaling) -> Any:
    """Give the model a uint8 NHWC input of any height and width, as the crops are."""
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    shape = model.input(0).partial_shape
    shape[0] = 1
    model.reshape(shape)
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(list(scaling.mean)).scale(list(scaling.scale))
    steps.output().tensor().set_element_type(ov.Type.f32)
    return steps.build()


class OnnxNet:
    """ONNX Runtime on the CPU."""

    def __init__(self, path: Path, scaling: Scaling, threads: int) -> None:
        """Load. Raises WeightsError if ONNX Runtime cannot."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning workers would hold a core while other parts of the program have work for it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no other base
            raise WeightsError(f"{path}: ONNX Runtime cannot load it ({_first_line(error)})") from error
        self._input = self._session.get_inputs()[0].name
        self._scaling = scaling
        self.backend = "onnxruntime cpu f32"

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See Net."""
        return [self._session.run(None, {self._input: self._scaling(picture)})[0][0] for picture in pictures]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
