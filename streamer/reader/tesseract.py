"""Tesseract behind Recogniser: an extra, for comparison and for machines that have it already."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from html import unescape

from streamer.errors import MissingPackageError, StreamerError
from streamer.reader.text import LineText
from streamer.types import Image

WHITELIST = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

# --psm 7: the picture is a single line of text. With hocr_char_boxes every character comes with its own confidence.
_OPTIONS = f"--psm 7 -c tessedit_char_whitelist={WHITELIST} -c hocr_char_boxes=1"
_CHARACTER = re.compile(r"<span class='ocrx_cinfo'[^>]*x_conf ([0-9.]+)[^>]*>([^<]+)</span>")
_TIMEOUT_S = 10


class TesseractRecogniser:
    """The program ``tesseract``, one call a line."""

    def __init__(self) -> None:
        """Look for both parts. Raises MissingPackageError naming what to install."""
        try:
            import pytesseract
        except ImportError as error:
            raise MissingPackageError(
                "reader.engine tesseract needs the package pytesseract (pip install 'plate-streamer[tesseract]') and the program "
                "tesseract (system package tesseract-ocr)"
            ) from error
        if shutil.which(pytesseract.pytesseract.tesseract_cmd) is None:
            raise MissingPackageError("reader.engine tesseract needs the program tesseract: install the system package tesseract-ocr")
        self._library = pytesseract
        self.version = str(pytesseract.get_tesseract_version())
        self.backend = f"tesseract {self.version} cpu"

    def read(self, lines: Sequence[Image]) -> list[LineText]:
        """See Recogniser."""
        return [self._read(line) for line in lines]

    def _read(self, line: Image) -> LineText:
        try:
            hocr = self._library.image_to_pdf_or_hocr(line[..., ::-1].copy(), extension="hocr", config=_OPTIONS, timeout=_TIMEOUT_S)
        except (self._library.TesseractError, RuntimeError) as error:
            raise StreamerError(f"tesseract failed on a line of {line.shape[1]}x{line.shape[0]} pixels: {error}") from error
        found = [(unescape(text), float(confidence) / 100) for confidence, text in _CHARACTER.findall(hocr.decode("utf-8"))]
        return LineText("".join(text for text, _ in found), tuple(score for text, score in found for _ in text))
