"""Plates of single pictures, decided as the configuration says: real vote and formats, scripted networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streamer import build_pipeline, load_config
from streamer.types import Box, Detection, Image, ModelInfo, PlateRead

INFO = ModelInfo("scripted", "0" * 64, "none")


class OnePlate:
    info = INFO

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [[Detection(Box(10, 10, 90, 40), 0.4)] for _ in images]


class Says:
    info = INFO

    def __init__(self, score: float) -> None:
        self._score = score

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        return [PlateRead("A34", (self._score,) * 3) for _ in crops]


@pytest.mark.parametrize(("score", "plate"), [(0.24, None), (0.31, "A34")])
def test_what_the_reader_itself_does_not_believe_is_no_plate(score: float, plate: str | None) -> None:
    """passages.min_plate_score is 0.3: frames of pictures on a wall were read as such texts."""
    pipeline = build_pipeline(load_config(), stills=True)
    pipeline.detector, pipeline.reader = OnePlate(), Says(score)
    (result,) = pipeline.read(np.zeros((100, 100, 3), np.uint8))
    assert (result.plate, result.raw) == (plate, "A34")
    assert result.score == (pytest.approx(score) if plate else 0.0)
