"""The YOLOv8 network on OpenVINO and on ONNX Runtime: pictures of the input's size to raw boxes.

All of them take the same uint8 pictures, and run each picture of a batch by itself on a CPU: on these cores a larger batch
is not faster, and so a picture's boxes are the same to the last bit in whatever company it comes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streamer.config import DetectorConfig
from streamer.detector.boxes import RawBoxes
from streamer.errors import UsageError, WeightsError
from streamer.types import Image


class Net(Protocol):
    """A loaded network."""

    @property
    def backend(self) -> str:
        """For example ``openvino cpu f32``."""

    def run(self, pictures: Sequence[Image]) -> list[RawBoxes]:
        """Take uint8 (size, size, 3) BGR pictures, give the raw boxes of each."""


def threads_of(config: DetectorConfig) -> int:
    """Give the number of CPU threads: as configured, or one per core that this process may use."""
    return config.threads or len(os.sched_getaffinity(0))


def checked(raw: Any, path: Path) -> RawBoxes:
    """Give one picture's output as (5, anchors). Raises WeightsError if a one-class YOLOv8 would not give it."""
    if raw.ndim != 2 or raw.shape[0] < 5 or raw.shape[1] < raw.shape[0]:
        raise WeightsError(f"{path}: gives {raw.shape}, not (5, anchors): not a YOLOv8 detector without built-in suppression")
    if raw.shape[0] != 5:
        raise WeightsError(f"{path}: knows {raw.shape[0] - 4} classes; a plate detector has exactly one")
    return np.asarray(raw, dtype=np.float32)


class OpenVinoNet:
    """OpenVINO on the CPU; reads ``.xml`` and ``.onnx``. Colour order, scale and layout are part of the compiled graph."""

    def __init__(self, path: Path, config: DetectorConfig) -> None:
        """Compile for one picture at a time. Raises WeightsError if the file is damaged or made for another size."""
        import openvino as ov

        self._path = path
        self._tensor = ov.Tensor
        threads = threads_of(config)
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
        if not config.half:
            options["INFERENCE_PRECISION_HINT"] = "f32"
        core = ov.Core()
        try:
            model = _with_picture_input(core.read_model(path), config.input_size)
            compiled = core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise WeightsError(f"{path}: OpenVINO cannot run it at {config.input_size} pixels ({_first_line(error)})") from error
        if len(compiled.outputs) != 1:
            raise WeightsError(f"{path}: has {len(compiled.outputs)} outputs, a YOLOv8 detector has one")
        self.backend = f"openvino cpu {compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()}"
        # One picture is computed while the next is handed over.
        self._queue = ov.AsyncInferQueue(compiled, 2)

    def run(self, pictures: Sequence[Image]) -> list[RawBoxes]:
        """See Net."""
        results: list[Any] = [None] * len(pictures)

        def keep(request: Any, index: int) -> None:
            results[index] = request.get_output_tensor(0).data[0].copy()

        self._queue.set_callback(keep)
        for index, picture in enumerate(pictures):
            self._queue.start_async({0: self._tensor(picture[None], shared_memory=True)}, index)
        self._queue.wait_all()
        return [checked(raw, self._path) for raw in results]


def _with_picture_input(model: Any, size: int) -> Any:
    """Give the model a uint8 NHWC BGR input of a fixed size, as the frames are."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    wanted = [1, 3, size, size]
    if not model.input(0).partial_shape.compatible(ov.PartialShape(wanted)):
        raise RuntimeError(f"its input is {model.input(0).partial_shape}, not {wanted}; set detector.input_size to it")
    model.reshape(wanted)
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
    steps.output().tensor().set_element_type(ov.Type.f32)
    return steps.build()


class OnnxNet:
    """ONNX Runtime on the CPU, or on CUDA if onnxruntime-gpu is installed."""

    def __init__(self, path: Path, config: DetectorConfig, device: str) -> None:
        """Load. Raises WeightsError if the file is damaged or made for another size, UsageError without CUDA support."""
        import onnxruntime as ort

        self._path, self._size = path, config.input_size
        providers: list[Any] = ["CPUExecutionProvider"]
        if device != "cpu":
            if "CUDAExecutionProvider" not in ort.get_available_providers():
                raise UsageError("detector.device: this onnxruntime has no CUDA; use a .pt file on CUDA, or device cpu")
            providers = [("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)})]
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads_of(config)
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning workers would hold a core while other parts of the program have work for it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for name, value in (("batch", 1), ("height", self._size), ("width", self._size)):
            options.add_free_dimension_override_by_name(name, value)
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its exceptions share no other base
            raise WeightsError(f"{path}: ONNX Runtime cannot load it ({_first_line(error)})") from error
        self._input = self._session.get_inputs()[0]
        for have, want in zip(self._input.shape, (1, 3, self._size, self._size), strict=True):
            if isinstance(have, int) and have != want:
                raise WeightsError(f"{path}: its input is {self._input.shape}; set detector.input_size to it (batch 1)")
        self.backend = f"onnxruntime {device} {'f16' if self._input.type == 'tensor(float16)' else 'f32'}"

    def run(self, pictures: Sequence[Image]) -> list[RawBoxes]:
        """See Net."""
        import cv2

        dtype = np.float16 if self._input.type == "tensor(float16)" else np.float32
        results = []
        for picture in pictures:
            blob = cv2.dnn.blobFromImage(picture, 1 / 255, swapRB=True).astype(dtype, copy=False)
            results.append(checked(self._session.run(None, {self._input.name: blob})[0][0], self._path))
        return results


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
