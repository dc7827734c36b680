"""Clips that count: each picture carries its number, so that a test knows which picture of which moment was analysed, and a plate whose
grey tells the vehicle; with the detector and the reader that see it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from streamer.types import Box, Detection, Image, ModelInfo, PlateRead
from tests.test_pipeline import PLATES

FPS = 25
GOP_S = 1.0
LENGTH = 100
"""Pictures of a clip: four seconds."""
VEHICLES = {1: (10, 40), 2: (55, 85)}
"""When they are in the picture: first and last number."""


def draw(number: int, width: int = 256, height: int = 144) -> Image:
    """Picture ``number`` of a clip: its number in black and white blocks, a background that moves, the plate of a vehicle if one comes."""
    rng = np.random.default_rng(3)
    grey = np.repeat(np.repeat(rng.integers(90, 150, (height // 8, width // 8), np.uint8), 8, axis=0), 8, axis=1)
    image: Image = np.ascontiguousarray(np.repeat(np.roll(grey, number, axis=1)[:, :, None], 3, axis=2))
    for bit in range(8):
        image[:16, bit * 16 : bit * 16 + 16] = 235 if number >> bit & 1 else 16
    for vehicle, (first, last) in VEHICLES.items():
        if first <= number <= last:
            box = box_of(number, first)
            stripes = np.where(np.arange(64) // 4 % 2, 40 + 50 * vehicle, 16).astype(np.uint8)
            image[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = stripes[None, :, None]
    return image


def box_of(number: int, first: int) -> Box:
    x = 8 + 4 * (number - first)
    return Box(x, 64, x + 64, 96)


def number_of(image: Image) -> int:
    return sum(1 << bit for bit in range(8) if image[4:12, bit * 16 + 4 : bit * 16 + 12].mean() > 125)


@cache
def reference(path: Path) -> tuple[Image, ...]:
    """The pictures of a clip as they come if nothing is lost, by number."""
    with av.open(str(path)) as container:
        return tuple(frame.to_ndarray(format="bgr24") for frame in container.decode(video=0))


def make_clip(folder: Path, width: int = 256, height: int = 144) -> Path:
    """A clip of LENGTH pictures at FPS with a key picture every GOP_S."""
    path = folder / f"{width}x{height}.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = round(FPS * GOP_S)
        stream.codec_context.max_b_frames = 0
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "18", "x264-params": "scenecut=0"}
        for number in range(LENGTH):
            frame = av.VideoFrame.from_ndarray(draw(number, width, height), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class CountingDetector:
    """Finds the plate by the picture's number. ``takes_s``: how long a picture takes it."""

    info = ModelInfo("counting", "0" * 64, "none")

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.seen = 0

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.seen += len(images)
        if self.takes_s:
            time.sleep(self.takes_s * len(images))
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> list[Detection]:
        number = number_of(image)
        return [Detection(box_of(number, first), 0.9) for first, last in VEHICLES.values() if first <= number <= last]


class GreyReader:
    """Reads the vehicle out of the plate's grey."""

    info = ModelInfo("grey", "1" * 64, "none")

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        return [self._one(crop) for crop in crops]

    def _one(self, crop: Image) -> PlateRead | None:
        height, width = crop.shape[:2]
        if height < 4 or width < 8:  # of a camera that sends noise
            return None
        light = float(np.percentile(crop[height // 4 : -height // 4, width // 8 : -width // 8, 1], 80))
        vehicle = round((light - 40) / 50)
        return PlateRead(PLATES[vehicle - 1], (0.9,) * 7) if vehicle in VEHICLES else None


class Analysed(Protocol):
    """A frame that was analysed."""

    @property
    def number(self) -> int:
        """Of its picture in the clip."""

    @property
    def began_at(self) -> float:
        """``time.monotonic()`` when its analysis began."""


def latencies(seen: Sequence[Analysed], sent_at: Mapping[int, float], length: int = LENGTH) -> list[float]:
    """Seconds from the first packet of each picture, as the camera sent it, to the beginning of its analysis."""
    by_number: dict[int, list[float]] = {}
    for number, at in sorted(dict(sent_at).items()):
        by_number.setdefault(number % length, []).append(at)
    found = []
    for one in seen:
        before = [at for at in by_number.get(one.number, []) if at <= one.began_at]
        if before:
            found.append(one.began_at - before[-1])
    return found
