"""The plain way a user would write it: ultralytics on each frame, PaddleOCR on each crop, one after the other.

It is what the package fastanpr does (its order of work only; no code is taken from it), with the same weights that this program
starts with. ``make bench`` runs it beside the program.
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


def run(paths: list[Path]) -> PlainResult:
    """Read the plates of every frame of the clips."""
    os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="plain-"))
    import cv2
    from paddleocr import PaddleOCR
    from ultralytics import YOLO

    detector = YOLO(resolve("plate-detector", prefer="torch"))
    lines, recognition = resolve("plate-lines", prefer="onnx"), resolve("plate-reader", prefer="onnx")
    reader = PaddleOCR(
        text_detection_model_name="PP-OCRv6_small_det",
        text_detection_model_dir=str(lines if lines.is_dir() else lines.parent),
        text_recognition_model_name="PP-OCRv6_small_rec",
        text_recognition_model_dir=str(recognition if recognition.is_dir() else recognition.parent),
        engine="onnxruntime",
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
    )
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
            boxes = detector.predict(frame, verbose=False)[0].boxes.xyxy.cpu().numpy().astype(int)
            result.detect_s += time.perf_counter() - begin
            begin = time.perf_counter()
            for x1, y1, x2, y2 in boxes:
                result.crops += 1
                for found in reader.predict(frame[y1:y2, x1:x2]):
                    if text := normalise("".join(found["rec_texts"])):
                        result.texts[text] += 1
            result.read_s += time.perf_counter() - begin
        capture.release()
    return result
