"""Video scenes out of real photographs, with known truth and a seed: vehicles drive through, together, hidden, blurred.

    scene = Scene(drives=(Drive("fa_00010", 0.5, 3.0), Drive("oi_00026", 1.0, 3.5, path="cross", y=0.6)), seconds=4.0)
    for t, picture in scene.frames(): ...
    encode(scene, tmp_path / "scene.mp4")
    scene.truth()     # what drove through: plate, first and last second in view, box by frame

The photographs and their plates are those of tests/data; vehicles are cut out along their outlines in tests/data/vehicles.json.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

HORIZON = 0.57
"""Where land meets sky in the background, 0..1 down."""
CROSSING_REACH = 1.45
"""How far outside the picture the middle of a crossing plate begins and ends, in plate widths."""

EXPOSURE_S = 1 / 150


@dataclass(frozen=True)
class Drive:
    """One vehicle and its way through the picture."""

    photo: str
    """A vehicle of tests/data/vehicles.json: name of its photograph without the ending."""
    begin: float
    """Seconds when it enters."""
    end: float
    path: Literal["approach", "leave", "cross", "cross_back", "stand"] = "approach"
    """Towards the camera, away from it, from left to right, from right to left, or standing."""
    x: float = 0.5
    """Where across the picture (approach and leave: at the nearest point; stand), 0..1."""
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
        if self.path in ("approach", "leave"):
            # Size goes like 1 / distance: between three times as far and the nearest point at even speed.
            scale = 1 / (3 - 2 * (u if self.path == "approach" else 1 - u))
            return width * (0.5 + (self.x - 0.5) * scale), height * (HORIZON + (0.85 - HORIZON) * scale), self.plate_px * scale
        way = u if self.path == "cross" else 1 - u
        reach = CROSSING_REACH * self.plate_px
        return -reach + way * (width + 2 * reach), self.y * height, self.plate_px


@dataclass(frozen=True)
class Passing:
    """Truth about one drive."""

    plate: str
    first: float
    """First second with the whole plate in the picture and nothing before it."""
    last: float
    boxes: dict[int, Rect]
    """(x1, y1, x2, y2) in pixels, by frame; only frames in which the whole plate is to be seen."""


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

    def kept(self) -> list[int]:
        """Give the indices of the frames that are not dropped; frame k is at k / fps seconds."""
        chance = np.random.default_rng(self.seed).random(round(self.seconds * self.fps))
        return [int(k) for k in np.flatnonzero(chance >= self.drop)]

    def frames(self) -> Iterator[tuple[float, Image]]:
        """Give (seconds, picture), uint8 (h, w, 3) BGR."""
        random = np.random.default_rng(self.seed + 1)
        width, height = self.size
        ground = _ground(width, height)
        grain = [random.normal(0, self.noise, (height, width, 1)).astype(np.float32) for _ in range(5)]
        for index in self.kept():
            t = index / self.fps
            picture = ground.copy()
            for drive in self._driving(t):
                _place(picture, drive, *drive.at(t, width, height), blur=self._blur(drive, t))
            if self.pillar is not None:
                picture[:, round(self.pillar[0] * width) : round(self.pillar[1] * width)] = (96, 100, 98)
            picture = picture * self.gain + grain[int(random.integers(len(grain)))]
            yield t, np.clip(picture, 0, 255).astype(np.uint8)

    def truth(self) -> list[Passing]:
        """Give what drove through, in order of the drives; drives that show no whole plate in any frame are left out."""
        boxes: dict[Drive, dict[int, Rect]] = {drive: {} for drive in self.drives}
        for index in self.kept():
            driving = self._driving(index / self.fps)
            for place, drive in enumerate(driving):
                box = self._box(drive, index / self.fps)
                if not self._hidden(box, driving[place + 1 :], index / self.fps):
                    boxes[drive][index] = box
        return [
            Passing(_vehicle(drive.photo).plate, min(seen) / self.fps, max(seen) / self.fps, seen) for drive, seen in boxes.items() if seen
        ]

    def _driving(self, t: float) -> list[Drive]:
        """Give who is there, the nearer (larger) vehicle later: it stands in front."""
        there = [drive for drive in self.drives if drive.begin <= t <= drive.end]
        return sorted(there, key=lambda drive: drive.at(t, *self.size)[2])

    def _box(self, drive: Drive, t: float) -> Rect:
        x, y, plate = drive.at(t, *self.size)
        half_w, half_h = plate / 2, plate / 2 * _vehicle(drive.photo).plate_height / _vehicle(drive.photo).plate_width
        return (x - half_w, y - half_h, x + half_w, y + half_h)

    def _hidden(self, box: Rect, nearer: Sequence[Drive], t: float) -> bool:
        """Whether more than a twentieth of the box is outside the picture, behind the pillar or behind a nearer vehicle."""
        width, height = self.size
        xs, ys = np.meshgrid(np.linspace(box[0], box[2], 20), np.linspace(box[1], box[3], 5))
        hidden = (xs < 0) | (xs > width) | (ys < 0) | (ys > height)
        if self.pillar is not None:
            hidden |= (xs >= self.pillar[0] * width) & (xs < self.pillar[1] * width)
        for drive in nearer:
            x, y, plate = drive.at(t, width, height)
            vehicle = _vehicle(drive.photo)
            back = vehicle.plate_width / plate
            columns, rows = ((xs - x) * back + vehicle.anchor[0]).round(), ((ys - y) * back + vehicle.anchor[1]).round()
            solid = cv2.remap(vehicle.image[:, :, 3], columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_NEAREST)
            hidden |= solid > 0.3
        return bool(hidden.mean() > 0.05)

    def _blur(self, drive: Drive, t: float) -> tuple[int, int]:
        """How many pixels the plate moves across and down while the shutter is open."""
        (x, y, _), (later_x, later_y, _) = drive.at(t, *self.size), drive.at(t + EXPOSURE_S, *self.size)
        return round(abs(later_x - x)), round(abs(later_y - y))


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
    """(h, w, 4): BGR times opacity, and opacity 0..1."""
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
    outline = np.array(json.loads((DATA / "vehicles.json").read_text())[photo]["outline"], np.int32)
    x1, y1, x2, y2 = map(float, row["boxes"].split("|")[0].split())
    left, top, width, height = cv2.boundingRect(outline)
    mask = cv2.fillPoly(np.zeros(picture.shape[:2], np.float32), [outline], 1.0)
    margin = max(4, height // 20)
    opacity = cv2.GaussianBlur(cv2.copyMakeBorder(mask, margin, margin, margin, margin, cv2.BORDER_CONSTANT), (0, 0), 1.5)
    shade = np.zeros_like(opacity)
    cv2.ellipse(shade, (margin + left + width // 2, margin + top + height - margin), (width // 2, margin), 0, 0, 360, 0.7, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), margin / 3)
    colours = cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_REPLICATE) * opacity[:, :, None]
    image = np.dstack([colours, opacity + shade * (1 - opacity)]).astype(np.float32)
    cut = np.ascontiguousarray(image[top : top + height + 2 * margin, left : left + width + 2 * margin])
    anchor = ((x1 + x2) / 2 - left + margin, (y1 + y2) / 2 - top + margin)
    return _Vehicle(row["plates"].split("|")[0], cut, x2 - x1, y2 - y1, anchor)


@cache
def _ground(width: int, height: int) -> npt.NDArray[np.float32]:
    """Give the background: a grey photograph of a desert road, tinted like sky and land."""
    picture = cv2.imread(str(DATA / "backgrounds" / "neg_00049.webp"))
    assert picture is not None
    ground = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    horizon = round(HORIZON * height)
    ground[:horizon] *= (1.1, 0.98, 0.9)
    ground[horizon:] *= (0.85, 0.95, 1.05)
    return ground


def _place(picture: npt.NDArray[np.float32], drive: Drive, x: float, y: float, plate: float, *, blur: tuple[int, int]) -> None:
    vehicle = _vehicle(drive.photo)
    scale = plate / vehicle.plate_width
    image, anchor = vehicle.image, vehicle.anchor
    if scale < 1:
        across, down = round(image.shape[1] * scale), round(image.shape[0] * scale)
        anchor = (anchor[0] * across / image.shape[1], anchor[1] * down / image.shape[0])
        image, scale = cv2.resize(image, (across, down), interpolation=cv2.INTER_AREA), 1.0
    if drive.unreadable:
        image = cv2.blur(image, (max(3, round(plate / 3)),) * 2)
    elif max(blur) >= 2:
        image = cv2.blur(image, (max(1, round(blur[0] / scale)), max(1, round(blur[1] / scale))))
    height, width = picture.shape[:2]
    left, top = x - scale * anchor[0], y - scale * anchor[1]
    x1, y1 = max(0, int(left)), max(0, int(top))
    x2, y2 = min(width, int(left + scale * image.shape[1]) + 1), min(height, int(top + scale * image.shape[0]) + 1)
    if x1 >= x2 or y1 >= y2:
        return
    shift = np.array([[scale, 0, left - x1], [0, scale, top - y1]], np.float32)
    placed = cv2.warpAffine(image, shift, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR)
    picture[y1:y2, x1:x2] = picture[y1:y2, x1:x2] * (1 - placed[:, :, 3:]) + placed[:, :, :3]


def at_rate(frames: Iterator[tuple[float, Image]], every: int) -> Iterator[tuple[float, Image]]:
    """Give each Nth frame: the same scene at a lower rate."""
    return itertools.islice(frames, 0, None, every)
