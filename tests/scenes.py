"""Video scenes out of real photographs, with known truth and a seed: vehicles drive through, together, hidden, blurred.

    scene = Scene(drives=(Drive("fa_00010", 0.5, 3.0), Drive("oi_00026", 1.0, 3.5, path="cross", y=0.6)), seconds=4.0)
    for t, picture in scene.frames(): ...
    encode(scene, tmp_path / "scene.mp4")
    scene.truth()     # what drove through: plate, first and last second in view, box by second

The photographs and their plates are those of tests/data; each vehicle is cut out around its plate with soft edges.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

DATA = Path(__file__).resolve().parent / "data"
Image = npt.NDArray[np.uint8]
Rect = tuple[float, float, float, float]

LEFT, UP, DOWN = 1.45, 1.5, 0.5
"""How far a sprite reaches from the middle of the plate, in plate widths: most of a vehicle's back or front."""

EXPOSURE_S = 1 / 150


@dataclass(frozen=True)
class Drive:
    """One vehicle and its way through the picture."""

    photo: str
    """Name of a photograph in tests/data/photos without its ending."""
    begin: float
    """Seconds when it enters."""
    end: float
    path: Literal["approach", "cross", "cross_back", "stand"] = "approach"
    """Towards the camera, from left to right, from right to left, or standing."""
    x: float = 0.5
    """Where across the picture (approach, stand), 0..1."""
    y: float = 0.55
    """How far down (cross, stand), 0..1."""
    plate_px: float = 120.0
    """Width of the plate at its largest."""
    unreadable: bool = False
    """So blurred that nobody reads it."""

    def at(self, t: float, width: int, height: int) -> tuple[float, float, float]:
        """Give the middle of the plate and its width at second ``t``, pixels."""
        u = (t - self.begin) / (self.end - self.begin)
        if self.path == "stand":
            return self.x * width, self.y * height, self.plate_px
        if self.path == "approach":
            # Size grows like 1 / distance: from three times as far to the nearest point at even speed.
            scale = 1 / (3 - 2 * u)
            return width * (0.5 + (self.x - 0.5) * scale), height * (0.25 + 0.6 * scale), self.plate_px * scale
        way = u if self.path == "cross" else 1 - u
        reach = LEFT * self.plate_px
        return -reach + way * (width + 2 * reach), self.y * height, self.plate_px


@dataclass(frozen=True)
class Passing:
    """Truth about one drive."""

    plate: str
    first: float
    """First second with the whole plate in the picture."""
    last: float
    boxes: dict[int, Rect]
    """By frame."""


@dataclass(frozen=True)
class Scene:
    """What is to be seen; the same scene gives the same pictures."""

    drives: tuple[Drive, ...]
    seconds: float
    fps: float = 25.0
    size: tuple[int, int] = (960, 540)
    noise: float = 4.0
    """Standard deviation of the sensor's noise, levels."""
    gain: float = 1.0
    """Brightness; 0.35 is a night under street lamps."""
    pillar: tuple[float, float] | None = None
    """(left, right) of something in front of everything, 0..1 across."""
    drop: float = 0.0
    """Share of the frames that are missing, at random."""
    seed: int = 1
    _kept: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        count = round(self.seconds * self.fps)
        self._kept.extend(int(k) for k in np.flatnonzero(random.random(count) >= self.drop))

    def frames(self) -> Iterator[tuple[float, Image]]:
        """Give (seconds, picture), uint8 (h, w, 3) BGR."""
        random = np.random.default_rng(self.seed + 1)
        width, height = self.size
        ground = _ground(width, height)
        grain = [random.normal(0, self.noise, (height, width, 1)).astype(np.float32) for _ in range(5)]
        for index in self._kept:
            t = index / self.fps
            picture = ground.copy()
            # The nearer (larger) vehicle stands in front.
            for drive in sorted(self._driving(t), key=lambda drive: drive.at(t, width, height)[2]):
                _place(picture, drive, *drive.at(t, width, height), smear=self._smear(drive, t))
            if self.pillar is not None:
                picture[:, round(self.pillar[0] * width) : round(self.pillar[1] * width)] = (96, 100, 98)
            picture = picture * self.gain + grain[int(random.integers(len(grain)))]
            yield t, np.clip(picture, 0, 255).astype(np.uint8)

    def truth(self) -> list[Passing]:
        """Give what drove through, in order of the drives."""
        width, height = self.size
        passings = []
        for drive in self.drives:
            vehicle = _vehicle(drive.photo)
            boxes: dict[int, Rect] = {}
            for index in self._kept:
                t = index / self.fps
                if drive in self._driving(t):
                    x, y, plate = drive.at(t, width, height)
                    half_w, half_h = plate / 2, plate / 2 * vehicle.plate_height / vehicle.plate_width
                    if half_w <= x <= width - half_w and half_h <= y <= height - half_h:
                        boxes[index] = (x - half_w, y - half_h, x + half_w, y + half_h)
            if boxes:
                passings.append(Passing(vehicle.plate, min(boxes) / self.fps, max(boxes) / self.fps, boxes))
        return passings

    def _driving(self, t: float) -> list[Drive]:
        return [drive for drive in self.drives if drive.begin <= t <= drive.end]

    def _smear(self, drive: Drive, t: float) -> float:
        """Pixels across that the vehicle moves while the shutter is open."""
        return abs(drive.at(t + EXPOSURE_S, *self.size)[0] - drive.at(t, *self.size)[0])


def encode(scene: Scene, path: Path, *, crf: int = 23) -> Path:
    """Write a scene as H.264, with the frames' own times."""
    import av

    base = Fraction(1, 90_000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(scene.fps).limit_denominator(1000), options={"preset": "veryfast", "crf": str(crf)}
        )
        stream.width, stream.height = scene.size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        for t, picture in scene.frames():
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(t / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class _Vehicle:
    plate: str
    image: npt.NDArray[np.float32]
    """(h, w, 4): BGR and opacity 0..1; the plate is in the middle across, UP of it from the top."""
    plate_width: float
    plate_height: float
    anchor: tuple[float, float]
    """Middle of the plate in the image."""


@cache
def _vehicle(photo: str) -> _Vehicle:
    with (DATA / "truth.csv").open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if Path(row["file"]).stem == photo)
    picture = cv2.imread(str(DATA / row["file"]))
    assert picture is not None
    x1, y1, x2, y2 = map(float, row["boxes"].split("|")[0].split())
    width, x, y = x2 - x1, (x1 + x2) / 2, (y1 + y2) / 2
    left, right = max(0, round(x - LEFT * width)), min(picture.shape[1], round(x + LEFT * width))
    top, bottom = max(0, round(y - UP * width)), min(picture.shape[0], round(y + DOWN * width))
    cut = picture[top:bottom, left:right].astype(np.float32)
    edge = max(2, round(0.12 * width))
    opacity = np.zeros(cut.shape[:2], np.float32)
    opacity[edge // 2 : -edge // 2 or None, edge // 2 : -edge // 2 or None] = 1
    opacity = cv2.blur(opacity, (edge, edge))
    return _Vehicle(row["plates"].split("|")[0], np.dstack([cut, opacity]), width, y2 - y1, (x - left, y - top))


@cache
def _ground(width: int, height: int) -> npt.NDArray[np.float32]:
    picture = cv2.imread(str(DATA / "backgrounds" / "neg_00049.webp"))
    assert picture is not None
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _place(picture: npt.NDArray[np.float32], drive: Drive, x: float, y: float, plate: float, *, smear: float) -> None:
    vehicle = _vehicle(drive.photo)
    scale = plate / vehicle.plate_width
    image = vehicle.image
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        anchor, scale = (vehicle.anchor[0] * scale, vehicle.anchor[1] * scale), 1.0
    else:
        anchor = vehicle.anchor
    if drive.unreadable:
        image = cv2.blur(image, (max(3, round(plate / 3)),) * 2)
    elif smear >= 1.5:
        image = cv2.blur(image, (round(smear), 1))
    height, width = picture.shape[:2]
    left, top = x - scale * anchor[0], y - scale * anchor[1]
    x1, y1 = max(0, int(left)), max(0, int(top))
    x2, y2 = min(width, int(left + scale * image.shape[1]) + 1), min(height, int(top + scale * image.shape[0]) + 1)
    if x1 >= x2 or y1 >= y2:
        return
    shift = np.array([[scale, 0, left - x1], [0, scale, top - y1]], np.float32)
    placed = cv2.warpAffine(image, shift, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR)
    opacity = placed[:, :, 3:]
    picture[y1:y2, x1:x2] = picture[y1:y2, x1:x2] * (1 - opacity) + placed[:, :, :3] * opacity


def at_rate(frames: Iterator[tuple[float, Image]], every: int) -> Iterator[tuple[float, Image]]:
    """Give each Nth frame: the same scene at a lower rate."""
    return itertools.islice(frames, 0, None, every)
