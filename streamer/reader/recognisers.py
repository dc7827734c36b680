"""Line pictures to text, by engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml

from streamer.errors import MissingPackageError, WeightsError
from streamer.reader.ctc import EMPTY, CtcDecoder, LineText, plate_character
from streamer.reader.nets import Floats, PictureNet, Scaling
from streamer.types import Image

SCALING = Scaling(mean=(127.5, 127.5, 127.5), scale=(127.5, 127.5, 127.5))
"""PaddleOCR's text recognition: (x / 255 - 0.5) / 0.5."""

WHITELIST = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Recogniser(Protocol):
    """Reads line pictures."""

    @property
    def backend(self) -> str:
        """For example ``openvino cpu f32``."""

    def read(self, lines: Sequence[Image]) -> list[LineText]:
        """Read each line: uint8 (48, w, 3) BGR, w a multiple of 32."""


class CtcRecogniser:
    """A PP-OCR recognition network."""

    def __init__(self, net: PictureNet, decoder: CtcDecoder) -> None:
        self._net = net
        self._decoder = decoder
        self.backend = net.backend

    def read(self, lines: Sequence[Image]) -> list[LineText]:
        """See Recogniser."""
        return [self._decoder.plate(probabilities) for probabilities in self._net.run(lines)]


class PaddleNet:
    """PaddleOCR's own TextRecognition with Paddle's static graph; the probabilities are taken below its text output.

    TextRecognition gives one score a line. Its predictor is asked for the output of the network instead, on the same input.
    """

    backend = "paddle_static cpu f32"

    def __init__(self, folder: Path, name: str, threads: int) -> None:
        """Load. Raises MissingPackageError without paddleocr and paddlepaddle."""
        try:
            from paddleocr import TextRecognition
        except ImportError as error:
            raise MissingPackageError(f"reader.engine paddle_static needs paddleocr and paddlepaddle ({error})") from error
        self._model: Any = TextRecognition(
            model_name=name, model_dir=str(folder), device="cpu", cpu_threads=threads, engine="paddle_static"
        )
        self._predictor: Any = self._model.paddlex_predictor

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See nets.PictureNet."""
        return [np.asarray(self._predictor.runner(x=[SCALING.apply(picture)])[0][0], np.float32) for picture in pictures]


class TesseractRecogniser:
    """Tesseract, one line a call. It scores words, not characters: every character has its word's score."""

    backend = "tesseract cpu"

    def __init__(self) -> None:
        """Find the program. Raises MissingPackageError saying what to install."""
        try:
            import pytesseract
        except ImportError as error:
            raise MissingPackageError("reader.engine tesseract needs pytesseract: pip install 'plate-streamer[tesseract]'") from error
        try:
            self.version = str(pytesseract.get_tesseract_version())
        except pytesseract.TesseractNotFoundError as error:
            raise MissingPackageError("reader.engine tesseract needs the program: apt-get install tesseract-ocr") from error
        self._tesseract: Any = pytesseract

    def read(self, lines: Sequence[Image]) -> list[LineText]:
        """See Recogniser."""
        return [self._one(line) for line in lines]

    def _one(self, line: Image) -> LineText:
        options = f"--psm 7 -c tessedit_char_whitelist={WHITELIST}"
        words = self._tesseract.image_to_data(
            np.ascontiguousarray(line[:, :, ::-1]), lang="eng", config=options, output_type=self._tesseract.Output.DICT
        )
        text, scores = "", []
        for word, confidence in zip(words["text"], words["conf"], strict=True):
            letters = "".join(map(plate_character, word))
            text += letters
            scores += [max(0.0, float(confidence)) / 100] * len(letters)
        return LineText(text, tuple(scores)) if text else EMPTY


def read_settings(folder: Path) -> tuple[str, CtcDecoder]:
    """Give the model's name and decoder out of its folder's ``inference.yml``. Raises WeightsError naming the file."""
    file = folder / "inference.yml"
    try:
        # The C loader: the list has 18,000 characters, and the pure one takes seconds.
        settings = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
        characters = settings["PostProcess"]["character_dict"]
        name = str(settings["Global"]["model_name"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise WeightsError(f"{file}: not the settings of a recognition model ({error}); needed are Global.model_name and "
                           "PostProcess.character_dict") from error  # fmt: skip
    return name, CtcDecoder([*map(str, characters), " "])  # PaddleOCR adds the space (CTCLabelDecode, use_space_char)
