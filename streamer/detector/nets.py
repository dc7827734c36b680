"""The YOLOv8 network on OpenVINO and on ONNX Runtime: pictures of the input's size to raw boxes.

All of them take the same uint8 pictures, and run each picture of a batch by itself on a CPU: on these cores a larger batch
is not faster, and so a picture's boxes are the same to the last bit in whatever company it comes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streamer.config import DetectorConfig
from streamer.detector.boxes import RawBoxes
from streamer.errors import UsageError, WeightsError
from streamer.types import Image

MOST_AT_ONCE = 4
"""One thread on each of several pictures gets more done than all threads on one (3 to 8 % on idle cores, up to 25 % on busy
ones, where one late thread holds up the rest), but answers for a single picture later: four at once leave several threads to
each where there are many cores."""
MOST_SHAPES = 4
"""Shapes of input that a graph is kept for: cameras of 16:9, 4:3, 5:4 and upright ones."""

Shape = tuple[int, int]
"""(height, width) of an input, pixels."""


class Net(Protocol):
    """A loaded network."""

    @property
    def backend(self) -> str:
        """For example ``openvino cpu f32``."""

    @property
    def fixed(self) -> bool:
        """Whether it takes squares of the configured size only."""

    def run(self, pictures: Iterable[Image]) -> list[RawBoxes]:
        """Take uint8 (height, width, 3) BGR pictures, sides in multiples of the stride; give the raw boxes of each.

        They may still be in the making: where one can be worked on while the next is made, it is.
        """


def threads_of(config: DetectorConfig) -> int:
    """Give the number of CPU threads: as configured, or one per core that this process may use."""
    return config.threads or len(os.sched_getaffinity(0))


def checked(raw: Any, path: Path) -> RawBoxes:
    """Give one picture's output as (5, anchors). Raises WeightsError if a one-class YOLOv8 would not give it."""
    if raw.ndim != 2 or raw.shape[0] < 5 or raw.shape[1] < raw.shape[0]:
        raise WeightsError(f"{path}: gives {raw.shape}, not (5, anchors): not a YOLOv8 detector without built-in suppression")
    if raw.shape[0] != 5:
        raise WeightsError(f"{path}: {_other_than_plates(raw, path)}")
    return np.asarray(raw, dtype=np.float32)


def _other_than_plates(raw: Any, path: Path) -> str:
    """Say what a network does whose output has more than a box and a score: scores lie in 0..1, keypoints anywhere in the picture."""
    if raw[5:].min() < 0 or raw[5:].max() > 1:
        return "finds corners or other keypoints besides boxes, which nothing here uses; train or name a detector of boxes only"
    return (
        f"knows {raw.shape[0] - 4} classes; a plate detector has exactly one. A detector of characters is a reader: use it, and measure it "
        f"(plate-train evaluate DATA --config FILE), with reader: {{engine: characters, weights: {path}}} in the configuration"
    )


def by_shape(pictures: Sequence[Image]) -> dict[Shape, list[int]]:
    """Group the indices of pictures by (height, width)."""
    groups: dict[Shape, list[int]] = {}
    for index, picture in enumerate(pictures):
        groups.setdefault((picture.shape[0], picture.shape[1]), []).append(index)
    return groups


class OpenVinoNet:
    """OpenVINO on the CPU; reads ``.xml`` and ``.onnx``. Colour order, scale and layout are part of the compiled graph.

    A graph is compiled for each shape of input when it is first met (about a second; a camera has one). Those used last are kept: a
    stream of noise may have any size, and each graph costs threads and tens of megabytes.
    """

    def __init__(self, path: Path, config: DetectorConfig, first: Shape) -> None:
        """Compile for ``first``. Raises WeightsError if the file is damaged or made for another size."""
        import openvino as ov

        self._path, self._tensor = path, ov.Tensor
        threads = threads_of(config)
        self._at_once = min(config.parallel_pictures or MOST_AT_ONCE, threads)
        self._options: dict[str, Any] = {
            "NUM_STREAMS": self._at_once,
            "INFERENCE_NUM_THREADS": threads,
            # Decoding and tracking need the cores too: the system moves threads better than a fixed plan does.
            "ENABLE_CPU_PINNING": False,
        }
        if not config.half:
            self._options["INFERENCE_PRECISION_HINT"] = "f32"
        self._core = ov.Core()
        try:
            self._model = self._core.read_model(path)
        except RuntimeError as error:
            raise WeightsError(f"{path}: OpenVINO cannot read it ({_first_line(error)})") from error
        square = [1, 3, config.input_size, config.input_size]
        shape = self._model.input(0).partial_shape
        if len(self._model.outputs) != 1 or not shape.compatible(ov.PartialShape(square)):
            raise WeightsError(
                f"{path}: input {shape}, {len(self._model.outputs)} outputs; needed are input {square} and one output; "
                "export a YOLOv8 detector, and set detector.input_size to what it was exported for"
            )
        self.fixed = bool(shape[2].is_static or shape[3].is_static)
        self._queues: dict[Shape, Any] = {}
        compiled, _ = self._compile((config.input_size, config.input_size) if self.fixed else first)
        asked = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.backend = f"openvino cpu {'int8' if is_quantised(self._model) else asked}"

    def run(self, pictures: Iterable[Image]) -> list[RawBoxes]:
        """See Net."""
        results: dict[int, Any] = {}
        at_work: dict[Shape, Any] = {}
        kept: list[Image] = []  # OpenVINO works on their memory

        def keep(request: Any, index: int) -> None:
            results[index] = request.get_output_tensor(0).data[0].copy()

        try:
            for index, picture in enumerate(pictures):
                kept.append(picture)
                shape = (picture.shape[0], picture.shape[1])
                if shape not in at_work:
                    at_work[shape] = self._queue(shape)
                    at_work[shape].set_callback(keep)
                at_work[shape].start_async({0: self._tensor(picture[None], shared_memory=True)}, index)
        finally:
            for queue in at_work.values():
                queue.wait_all()
        return [checked(results[index], self._path) for index in range(len(results))]

    def _queue(self, shape: Shape) -> Any:
        queue = self._queues.pop(shape, None) or self._compile(shape)[1]
        self._queues[shape] = queue  # to the end: the first is the one that was not used for longest
        return queue

    def _compile(self, shape: Shape) -> tuple[Any, Any]:
        import openvino as ov

        try:
            compiled = self._core.compile_model(_with_picture_input(self._model.clone(), shape), "CPU", self._options)
        except RuntimeError as error:
            raise WeightsError(f"{self._path}: OpenVINO cannot run it on {shape} pixels ({_first_line(error)})") from error
        while len(self._queues) >= MOST_SHAPES:
            del self._queues[next(iter(self._queues))]
        # One picture more than is computed, so that no stream waits for the next.
        self._queues[shape] = ov.AsyncInferQueue(compiled, self._at_once + 1)
        return compiled, self._queues[shape]


def is_quantised(model: Any) -> bool:
    """Say whether an OpenVINO model computes in eight bits, wholly or in part: what it is asked for does not tell."""
    return any(node.get_type_name() == "FakeQuantize" for node in model.get_ops())


def _with_picture_input(model: Any, shape: Shape) -> Any:
    """Give the model a uint8 NHWC BGR input of a fixed size, as the frames are."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    model.reshape([1, 3, *shape])
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

        self._path, size = path, config.input_size
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
        options.add_free_dimension_override_by_name("batch", 1)
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its exceptions share no other base
            raise WeightsError(f"{path}: ONNX Runtime cannot load it ({_first_line(error)})") from error
        self._input = self._session.get_inputs()[0]
        square, outputs = [1, 3, size, size], len(self._session.get_outputs())
        misfit = [have for have, want in zip(self._input.shape, square, strict=True) if isinstance(have, int) and have != want]
        if misfit or outputs != 1:
            raise WeightsError(
                f"{path}: input {self._input.shape}, {outputs} outputs; needed are input {square} and one output; "
                "export a YOLOv8 detector, and set detector.input_size to what it was exported for"
            )
        self.fixed = any(isinstance(side, int) for side in self._input.shape[2:])
        self.backend = f"onnxruntime {device} {'f16' if self._input.type == 'tensor(float16)' else 'f32'}"

    def run(self, pictures: Iterable[Image]) -> list[RawBoxes]:
        """See Net."""
        dtype = np.float16 if self._input.type == "tensor(float16)" else np.float32
        results = []
        for picture in pictures:
            planes = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
            given = {self._input.name: planes.astype(dtype, copy=False)}
            results.append(checked(self._session.run(None, given)[0][0], self._path))
        return results


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
