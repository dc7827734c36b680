"""A fine-tuned reader's folder to its other forms."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.config import ReaderConfig
from streamer.errors import UsageError
from streamer.reader.choice import INT8, load_layout_net
from streamer.reader.nets import SYMMETRIC, Floats, Net, OnnxNet, OpenVinoNet, threads_of
from streamer.reader.platelayout import LearnedLines
from streamer.reader.recognisers import PaddleNet, characters_of, read_settings
from streamer.reader.text import decode
from streamer.types import Image
from train.export.agreement import Agreement, Tolerance, compare_texts
from train.export.form import LOSSY, Run, bf16_lacks
from train.export.pictures import Sample, Samples
from train.export.quantise import READER_TYPES, quantise, reader_gates

_PADDLE = ("inference.json", "inference.pdiparams")


class ReaderForms:
    """A form.Model of a folder with inference.onnx and inference.yml.

    ``out`` becomes one folder that PaddleOCR and this program load, whatever the engine.
    """

    def __init__(self, folder: Path, out: Path, samples: Samples, threads: int, tolerance: Tolerance) -> None:
        self._out, self._samples, self._threads, self._tolerance = out, samples, threads_of(threads), tolerance
        self._settings = read_settings(folder)
        for name in ("inference.onnx", "inference.yml"):
            if not (folder / name).is_file():
                raise UsageError(f"{folder / name}: missing; a reader is a folder with inference.onnx and inference.yml")
            if folder.resolve() != out.resolve():
                shutil.copyfile(folder / name, out / name)
        self._compared = _lines(samples.comparison, self._threads)
        self.pictures: Sequence[Image] = [line.image for line in self._compared]

    def lacks(self, form: str) -> str | None:
        """See form.Model."""
        if form == "tensorrt":
            return "for detectors only"
        return bf16_lacks() if form == "openvino-bf16" else None

    def make(self, form: str) -> list[Path]:
        """See form.Model."""
        source = self._out / "inference.onnx"
        if form == "onnx":
            return [source, self._out / "inference.yml"]
        if form == "paddle":
            return self._paddle()
        target = self._path(form)
        if form == "openvino-int8":
            inputs = [SYMMETRIC(line.image) for line in _lines(self._samples.calibration, self._threads)]
            gates = reader_gates(source, inputs[0].shape)
            quantise(source, target, inputs, keep_types=READER_TYPES, keep_names=gates, seven_bits=True)
        else:
            import openvino

            openvino.save_model(openvino.Core().read_model(source), target, compress_to_fp16=False)
        return [target, target.with_suffix(".bin")]

    def load(self, form: str | None) -> Run:
        """See form.Model."""
        characters = characters_of(self._settings)
        net = self._net(form)

        def run(picture: Image) -> tuple[str, Floats]:
            probabilities = net.run([picture])[0]
            return decode(probabilities, characters).text, probabilities

        return run

    def compare(self, original: Sequence[Any], other: Sequence[Any], form: str) -> Agreement:
        """See form.Model."""
        truth = [line.text for line in self._compared]
        return compare_texts(original, other, truth, self._tolerance, exact=form not in LOSSY)

    def _net(self, form: str | None) -> Net:
        if form == "paddle":
            return PaddleNet(self._out, self._settings, self._threads)
        if form in (None, "onnx"):
            return OnnxNet(self._out / "inference.onnx", SYMMETRIC, self._threads)
        if form == "openvino-bf16":
            return _Bf16(self._path(form), self._threads)
        return OpenVinoNet(self._path(str(form)), SYMMETRIC, self._threads)

    def _path(self, form: str) -> Path:
        return self._out / (INT8 if form == "openvino-int8" else "inference.xml")

    def _paddle(self) -> list[Path]:
        """Make Paddle's files in a process of its own, which compares them on the same pictures, too."""
        pictures = self._out / ".pictures.npy"
        np.save(pictures, np.concatenate([SYMMETRIC(picture) for picture in self.pictures]))
        try:
            command = [sys.executable, "-m", "train.export.paddle_reader", str(self._out.absolute()), str(pictures.absolute())]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            pictures.unlink()
        if done.returncode:
            raise UsageError((done.stderr.strip().splitlines() or ["train.export.paddle_reader failed"])[-1])
        return [self._out / name for name in _PADDLE]


class _Bf16:
    """OpenVINO in bf16: a Net for a measurement."""

    backend = "openvino cpu bf16"

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        self._compiled = openvino.Core().compile_model(path, "CPU", options)

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See Net."""
        return [np.asarray(self._compiled(SYMMETRIC(picture))[0][0], np.float32) for picture in pictures]


def _lines(samples: Sequence[Sample], threads: int) -> list[Sample]:
    """Cut crops into lines as the program does. The text of one of two lines is not known."""
    cut = LearnedLines(load_layout_net(ReaderConfig(threads=threads)))
    layouts = [next(iter(ways)) for ways in cut([sample.image for sample in samples])]
    return [
        Sample(row.picture, sample.text if len(layout) == 1 else None)
        for sample, layout in zip(samples, layouts, strict=True)
        for row in layout
    ]
