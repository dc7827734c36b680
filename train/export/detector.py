"""A detector's checkpoint to its other forms."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamer.config import DetectorConfig
from streamer.detector import build_detector
from streamer.detector.choice import cuda_devices
from streamer.detector.letterbox import letterbox
from streamer.types import Detection, Image
from train.export.agreement import Agreement, Tolerance, compare_boxes
from train.export.form import LOSSY, Run, bf16_lacks
from train.export.pictures import Samples
from train.export.plain import export_with, plain_forms
from train.export.quantise import BOX_ARITHMETIC, quantise

_BACKENDS = {"onnx": "onnxruntime", "tensorrt": "tensorrt"}
_SUFFIXES = {"onnx": (".onnx",), "openvino": (".xml", ".bin"), "openvino-bf16": (".xml", ".bin")}


class DetectorForms:
    """A form.Model of a YOLOv8 checkpoint with one class."""

    def __init__(self, checkpoint: Path, out: Path, samples: Samples, size: int, threads: int, tolerance: Tolerance) -> None:
        self._checkpoint, self._out, self._samples = checkpoint, out, samples
        self._size, self._threads, self._tolerance = size, threads, tolerance
        self.pictures: Sequence[Image] = [sample.image for sample in samples.comparison]
        self._config = DetectorConfig()

    def lacks(self, form: str) -> str | None:
        """See form.Model."""
        if form == "paddle":
            return "for readers only"
        if form == "tensorrt" and not cuda_devices():
            return "there is no CUDA device: TensorRT engines are built on the GPU that runs them"
        return bf16_lacks() if form == "openvino-bf16" else None

    def make(self, form: str) -> list[Path]:
        """See form.Model."""
        if form == "openvino-int8":
            return self._int8()
        if form == "tensorrt":
            export_with(self._checkpoint, self._out, "tensorrt", str(self._size))
            return [self._path(form)]
        plain = plain_forms(self._checkpoint, self._out)
        files = [self._out / f"{self._checkpoint.stem}{suffix}" for suffix in _SUFFIXES[form]]
        for file in files:
            if not file.exists():
                shutil.copyfile(plain / file.name, file)
        return files

    def load(self, form: str | None) -> Run:
        """See form.Model."""
        backend = "torch" if form is None else _BACKENDS.get(form, "openvino")
        detector = build_detector(
            DetectorConfig.model_validate(
                {
                    "weights": str(self._checkpoint if form is None else self._path(form)),
                    "backend": backend,
                    "device": "cuda" if form == "tensorrt" else "cpu",
                    "half": form in ("openvino-bf16", "tensorrt"),
                    "input_size": self._size,
                    "input_shape": "auto",
                    "threads": self._threads,
                    "parallel_pictures": 1,
                }
            )
        )
        return lambda picture: detector.detect([picture])[0]

    def compare(self, original: Sequence[Sequence[Detection]], other: Sequence[Sequence[Detection]], form: str) -> Agreement:
        """See form.Model."""
        scales = [self._size / max(picture.shape[:2]) for picture in self.pictures]
        return compare_boxes(original, other, scales, self._config.confidence, self._tolerance, exact=form not in LOSSY)

    def _path(self, form: str) -> Path:
        endings = {"onnx": ".onnx", "openvino-int8": "-int8.xml", "tensorrt": ".engine"}
        return self._out / f"{self._checkpoint.stem}{endings.get(form, '.xml')}"

    def _int8(self) -> list[Path]:
        target = self._path("openvino-int8")
        plain = plain_forms(self._checkpoint, self._out) / f"{self._checkpoint.stem}.xml"
        quantise(plain, target, self._inputs(), keep=BOX_ARITHMETIC, keep_types=("Sigmoid",), seven_bits=True)
        return [target, target.with_suffix(".bin")]

    def _inputs(self) -> Iterator[npt.NDArray[np.float32]]:
        for sample in self._samples.calibration:
            picture, _ = letterbox(sample.image, self._size, fit=True)
            yield (picture[..., ::-1].transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32)
