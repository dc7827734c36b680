"""The plain way a user would write it: ultralytics on each frame, PaddleOCR on each crop, one after the other.

It is what the package fastanpr does (its order of work only; no code is taken from it): its YOLOv8n detector, and
PP-OCRv4 detection and recognition on Paddle.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from streamer.plates import normalise
from streamer.weights import resolve


@dataclass(slots=True)
class PlainResult:
    """What a run came to."""

    frames: int = 0
    detect_s: float = 0.0
    read_s: float = 0.0
    decode_s: float = 0.0
    crops: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    """Text -> frames in which it was read."""


class Plain:
    """The loaded models."""

    def __init__(self) -> None:
        os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="plain-"))
        from paddleocr import PaddleOCR
        from ultralytics import YOLO

        self._detector = YOLO(resolve("starter-detector", prefer="torch"))
        self._reader = PaddleOCR(
            text_detection_model_name="PP-OCRv4_mobile_det",
            text_detection_model_dir=str(resolve("starter-lines", prefer="paddle")),
            text_recognition_model_name="PP-OCRv4_mobile_rec",
            text_recognition_model_dir=str(resolve("starter-reader", prefer="paddle")),
            enable_mkldnn=False,  # this text detection fails with it (paddle 3.3)
            use_doc_orientation_classify=False,
            use_doc_unwarping=False,
            use_textline_orientation=False,
        )

    def run(self, paths: list[Path]) -> PlainResult:
        """Read the plates of every frame of the clips."""
        import cv2

        result = PlainResult()
        for path in paths:
            capture = cv2.VideoCapture(str(path))
            while True:
                begin = time.perf_counter()
                more, frame = capture.read()
                result.decode_s += time.perf_counter() - begin
                if not more:
                    break
                result.frames += 1
                begin = time.perf_counter()
                boxes = self._detector.predict(frame, verbose=False)[0].boxes.xyxy.cpu().numpy().astype(int)
                result.detect_s += time.perf_counter() - begin
                begin = time.perf_counter()
                for x1, y1, x2, y2 in boxes:
                    result.crops += 1
                    for found in self._reader.predict(frame[y1:y2, x1:x2]):
                        if text := normalise("".join(found["rec_texts"])):
                            result.texts[text] += 1
                result.read_s += time.perf_counter() - begin
            capture.release()
        return result
