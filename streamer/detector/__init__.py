"""YOLOv8 behind ports.Detector: letterbox, network, non-maximum suppression, boxes back in frame pixels."""

from __future__ import annotations

from collections.abc import Sequence

from streamer import weights
from streamer.config import DetectorConfig
from streamer.detector.boxes import detections
from streamer.detector.choice import Choice, choose, cuda_devices
from streamer.detector.letterbox import letterbox
from streamer.detector.nets import Net, OnnxNet, OpenVinoNet
from streamer.types import Detection, Image, ModelInfo

__all__ = ["PlateDetector", "build_detector", "cuda_devices"]


class PlateDetector:
    """A ports.Detector. For one thread at a time."""

    def __init__(self, net: Net, info: ModelInfo, config: DetectorConfig) -> None:
        self._net = net
        self._info = info
        self._config = config

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._info

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Give the plates of each picture (uint8, (h, w, 3), BGR, sizes may differ), best score first, boxes in its pixels.

        On a CPU the result for a picture does not depend on the others. Raises UsageError if something is not a picture.
        """
        pictures, placements = [], []
        for image in images:
            picture, placement = letterbox(image, self._config.input_size)
            pictures.append(picture)
            placements.append(placement)
        raw = self._net.run(pictures)
        return [detections(r, p, self._config.confidence, self._config.iou) for r, p in zip(raw, placements, strict=True)]


def build_detector(config: DetectorConfig) -> PlateDetector:
    """Load the detector that a configuration asks for.

    Raises WeightsError if the weights are missing, damaged or of an unknown kind, UsageError if backend, device and file do
    not go together, MissingPackageError if the backend is not installed.
    """
    choice = choose(config)
    net = _load(choice, config)
    return PlateDetector(net, ModelInfo(choice.path.stem, weights.sha256_of(choice.path), net.backend), config)


def _load(choice: Choice, config: DetectorConfig) -> Net:
    if choice.backend == "openvino":
        return OpenVinoNet(choice.path, config)
    if choice.backend == "onnxruntime":
        return OnnxNet(choice.path, config, choice.device)
    from streamer.detector.torchnet import TorchNet

    return TorchNet(choice.path, config, choice.device)
