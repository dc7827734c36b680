"""Plate crops to text behind ports.TextReader: lines found and straightened, read by PaddleOCR or Tesseract, joined."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from streamer import weights
from streamer.config import ReaderConfig
from streamer.errors import MissingPackageError, WeightsError
from streamer.reader import lines as line_finding
from streamer.reader.ctc import EMPTY, LineText
from streamer.reader.lines import GapFinder, Line, LineFinder, stretched
from streamer.reader.nets import OnnxNet, OpenVinoNet, PictureNet, Scaling
from streamer.reader.recognisers import SCALING, CtcRecogniser, PaddleNet, Recogniser, TesseractRecogniser, read_settings
from streamer.types import Image, ModelInfo, PlateRead

__all__ = ["PlateTextReader", "build_reader"]

ALL_LETTERS_HEIGHT = 0.85
"""A line without any digit that is lower than this share of the highest line is a name or a slogan."""


class Finder(Protocol):
    """Finds the lines of plates."""

    def find(self, crops: Sequence[Image]) -> list[list[Line]]:
        """Give the plate's lines in each crop, top to bottom."""


class PlateTextReader:
    """A ports.TextReader. For one thread at a time."""

    def __init__(self, recogniser: Recogniser, finder: Finder, info: ModelInfo) -> None:
        self._recogniser = recogniser
        self._finder = finder
        self.info = info

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        """Read each crop (uint8, (h, w, 3), BGR); None where there is no text. A crop's result depends on it alone."""
        usable = [index for index, crop in enumerate(crops) if crop.size]
        found = dict(zip(usable, self._finder.find([crops[index] for index in usable]), strict=True))
        pieces = [piece for plate in found.values() for line in plate for piece in line.pieces]
        texts = iter(self._recogniser.read(pieces))
        reads: list[PlateRead | None] = [None] * len(crops)
        for index, plate in found.items():
            reads[index] = _joined([(line, [next(texts) for _ in line.pieces]) for line in plate])
        # Where no line was found the crop is read as it is: small or dark plates escape the finder more than the reader.
        left = [index for index in usable if reads[index] is None]
        for index, text in zip(left, self._recogniser.read([stretched(crops[index]) for index in left]), strict=True):
            reads[index] = PlateRead(text.text, text.char_scores) if text.text else None
        return reads


def _joined(plate: Sequence[tuple[Line, Sequence[LineText]]]) -> PlateRead | None:
    highest = max((line.height for line, _ in plate), default=0.0)
    rows = [
        LineText("".join(text.text for text in texts), tuple(score for text in texts for score in text.char_scores))
        for line, texts in plate
        if line.height >= ALL_LETTERS_HEIGHT * highest or any(c.isdigit() for text in texts for c in text.text)
    ]
    rows = [row for row in rows if row != EMPTY]
    if not rows:
        return None
    return PlateRead("".join(row.text for row in rows), tuple(score for row in rows for score in row.char_scores), lines=len(rows))


def build_reader(config: ReaderConfig) -> PlateTextReader:
    """Load the reader that a configuration asks for.

    Raises WeightsError if weights are missing or damaged, MissingPackageError if the engine is not installed.
    """
    threads = config.threads or len(os.sched_getaffinity(0))
    engine = _engine(config)
    finder = _finder(config, engine, threads)
    if engine == "tesseract":
        tesseract = TesseractRecogniser()
        return PlateTextReader(tesseract, finder, ModelInfo(f"tesseract {tesseract.version}", "", tesseract.backend))
    folder = weights.resolve(config.weights, prefer="paddle" if engine == "paddle_static" else "onnx")
    if not folder.is_dir():
        raise WeightsError(f"{folder}: reader.weights must be a folder with inference.yml and the model in it")
    name, decoder = read_settings(folder)
    if engine == "paddle_static":
        recogniser = CtcRecogniser(PaddleNet(folder, name, threads), decoder)
    else:
        recogniser = CtcRecogniser(_net(engine, folder / "inference.onnx", SCALING, threads), decoder)
    return PlateTextReader(recogniser, finder, ModelInfo(name, weights.sha256_of(folder), recogniser.backend))


def _engine(config: ReaderConfig) -> str:
    if config.engine == "auto":
        return "openvino" if find_spec("openvino") else "onnxruntime"
    return config.engine


def _finder(config: ReaderConfig, engine: str, threads: int) -> Finder:
    if config.lines == "gap":
        return GapFinder()
    # The text detector stays on a light engine whatever reads the lines: torch and paddle need not share a process for it.
    light = engine if engine in ("openvino", "onnxruntime") else ("openvino" if find_spec("openvino") else "onnxruntime")
    path = weights.resolve(config.line_weights, prefer="onnx")
    return LineFinder(_net(light, path, line_finding.SCALING, threads))


def _net(engine: str, path: Path, scaling: Scaling, threads: int) -> PictureNet:
    if find_spec(engine) is None:
        raise MissingPackageError(f"reader.engine: {engine} is not installed; install it with pip install {engine}")
    if not path.is_file():
        raise WeightsError(f"{path}: missing; run `{weights.FETCH}`")
    return OpenVinoNet(path, scaling, threads) if engine == "openvino" else OnnxNet(path, scaling, threads)
