"""YOLOv8 behind ports.Detector: letterbox, network, non-maximum suppression, boxes back in frame pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streamer import weights
from streamer.config import DetectorConfig
from streamer.detector.boxes import detections
from streamer.detector.choice import Choice, choose
from streamer.detector.letterbox import Placement, input_shape, letterbox
from streamer.detector.nets import Net, OnnxNet, OpenVinoNet, Shape
from streamer.errors import WeightsError
from streamer.types import Detection, Image, ModelInfo

COMMON_FRAME = (16, 9)
"""Width and height of what cameras send, nearly always: the shape that is made ready when the detector is built."""

__all__ = ["PlateDetector", "build_detector"]


class PlateDetector:
    """A ports.Detector. For one thread at a time."""

    def __init__(self, net: Net, info: ModelInfo, config: DetectorConfig, *, fit: bool) -> None:
        self._net = net
        self._info = info
        self._config = config
        self._fit = fit

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._info

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Give the plates of each picture (uint8, (h, w, 3), BGR, sizes may differ), best score first, boxes in its pixels.

        On a CPU the result for a picture does not depend on the others. Raises UsageError if something is not a picture.
        """
        placements: list[Placement] = []

        def pictures() -> Iterator[Image]:
            for image in images:
                picture, placement = letterbox(image, self._config.input_size, fit=self._fit)
                placements.append(placement)
                yield picture

        raw = self._net.run(pictures())
        return [detections(r, p, self._config.confidence, self._config.iou) for r, p in zip(raw, placements, strict=True)]


def build_detector(config: DetectorConfig, *, stills: bool = False) -> PlateDetector:
    """Load the detector that a configuration asks for; ``stills``: for single pictures rather than for video.

    Raises WeightsError if the weights are missing, damaged, of an unknown kind or made for another input, UsageError if
    backend, device and file do not go together, MissingPackageError if the backend is not installed.
    """
    if stills:
        config = config.model_copy(update={"input_size": config.stills_input_size})
    choice = choose(config)
    fit = config.input_shape == "fit" or (config.input_shape == "auto" and not stills)
    first = input_shape(*COMMON_FRAME, config.input_size, fit=fit)
    net = _load(choice, config, first)
    if net.fixed and config.input_shape == "fit":
        raise WeightsError(f"{choice.path}: takes squares only; export it with dynamic=True, or leave out detector.input_shape")
    # What is no plate detector shows at the first picture: have that now, and the first frame does not wait for warm-up.
    net.run([np.zeros((*first, 3) if not net.fixed else (config.input_size, config.input_size, 3), np.uint8)])
    info = ModelInfo(choice.path.stem, weights.sha256_of(choice.path), net.backend)
    return PlateDetector(net, info, config, fit=fit and not net.fixed)


def _load(choice: Choice, config: DetectorConfig, first: Shape) -> Net:
    if choice.backend == "openvino":
        return OpenVinoNet(choice.path, config, first)
    if choice.backend == "onnxruntime":
        return OnnxNet(choice.path, config, choice.device)
    from streamer.detector.torchnet import TorchNet

    return TorchNet(choice.path, config, choice.device)
