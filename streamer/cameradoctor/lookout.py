"""Looks at every analysed frame: measures its plates and keeps a few of them to show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from streamer.cameradoctor.measures import PlateLook, Sight
from streamer.cameradoctor.optics import edge_widths, grey_of, light_of, text_of
from streamer.crops import cut, legibility, sharpness
from streamer.pipeline import TrackedPlate
from streamer.reader.lines import scaled
from streamer.reader.nets import Net
from streamer.reader.platelayout import INPUT_HEIGHT, INPUT_WIDTH, quads_of
from streamer.types import Box, Frame, Image

TRACKS_KEPT: Final = 120
"""Of more, those in the middle are forgotten."""
EDGE_PX: Final = 2.0
"""A plate whose box comes so near to the edge of the picture is cut by it."""
TILE: Final = (120, 160)
"""Height and width of the parts of a picture in which its sharpest edges are looked for, pixels."""
GRID: Final = (4, 5)
"""Rows and columns of parts: spread over the picture, a tenth of 1080p."""
TILE_CONTRAST: Final = 40.0
"""Grey levels: of less, noise makes up the edges."""


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """A crop to show."""

    crop: Image
    look: int
    """Its place among the looks."""
    legibility: float
    speed_px_s: float
    """From the look before; 0.0 for the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A whole picture to show."""

    image: Image
    plates: tuple[int, ...]
    """Places among the looks."""
    worth: float


@dataclass(slots=True)
class _Shots:
    """Of one track: its most legible, least legible and fastest look."""

    best: Exhibit
    worst: Exhibit
    fastest: Exhibit
    last: PlateLook


class Lookout:
    """A pipeline.Observer. Holds as many pictures as TRACKS_KEPT allows, and every look's figures."""

    def __init__(self, layout: Net) -> None:
        """Take the reader's layout network (``reader.choice.load_layout_net``)."""
        self._layout = layout
        self._shots: dict[tuple[int, int], _Shots] = {}
        self._second: tuple[int, int] | None = None
        self.looks: list[PlateLook] = []
        self.spans: dict[int, tuple[float, float]] = {}
        """Of each session, the times of its first and its last frame."""
        self.sights: list[Sight] = []
        self.scene: Scene | None = None
        self.frames = 0

    def __call__(self, frame: Frame, plates: Sequence[TrackedPlate]) -> None:
        """Take an analysed frame. Not measured are plates that its edge cuts, and those of a frame that may be damaged."""
        self.frames += 1
        self.spans[frame.session] = (self.spans.get(frame.session, (frame.t, frame.t))[0], frame.t)
        if frame.suspect:
            return
        second = (frame.session, math.floor(frame.t))
        if second != self._second:
            self._second = second
            self.sights.append(sight_of(frame.image))
        first = len(self.looks)
        worth = sum(self._look(frame, plate) for plate in plates if _is_whole(plate.box, frame.image))
        if self.scene is None or worth > self.scene.worth or (worth == self.scene.worth == 0.0):
            self.scene = Scene(frame.image, tuple(range(first, len(self.looks))), worth)

    def forget_all_but(self, tracks: Set[tuple[int, int]]) -> None:
        """Keep the looks and crops of these tracks (session, number) only: others were false detections."""
        kept = [index for index, look in enumerate(self.looks) if (look.session, look.track) in tracks]
        places = {old: new for new, old in enumerate(kept)}
        self.looks = [self.looks[index] for index in kept]
        self._shots = {key: _moved(shots, places) for key, shots in self._shots.items() if key in tracks}
        if self.scene is not None:
            self.scene = replace(self.scene, plates=tuple(places[index] for index in self.scene.plates if index in places))

    @property
    def best(self) -> list[Exhibit]:
        """The most legible crop of each track, best first."""
        return sorted((shots.best for shots in self._shots.values()), key=lambda shown: -shown.legibility)

    @property
    def worst(self) -> list[Exhibit]:
        """The least legible crop of each track, worst first."""
        return sorted((shots.worst for shots in self._shots.values()), key=lambda shown: shown.legibility)

    @property
    def fastest(self) -> list[Exhibit]:
        """The fastest look of each track, fastest first."""
        return sorted((shots.fastest for shots in self._shots.values()), key=lambda shown: -shown.speed_px_s)

    def _look(self, frame: Frame, plate: TrackedPlate) -> float:
        """Measure a plate; gives its legibility."""
        crop = cut(frame.image, plate.box)
        height, width = crop.shape[:2]
        (output,) = self._layout.run([scaled(crop, INPUT_WIDTH, INPUT_HEIGHT)])
        text = text_of(quads_of(output, width, height)[0], width, height)
        x1, y1, x2, y2 = text.area
        grey = grey_of(crop[y1:y2, x1:x2])
        chars = len(plate.text) if plate.text else None
        look = PlateLook(frame.session, plate.track, frame.t, plate.box, text, edge_widths(grey), light_of(grey), chars)
        grade = legibility(plate.box, sharpness(crop))
        self._keep(look, crop, grade)
        self.looks.append(look)
        return grade

    def _keep(self, look: PlateLook, crop: Image, grade: float) -> None:
        key = (look.session, look.track)
        shots = self._shots.get(key)
        if shots is None:
            shown = Exhibit(crop.copy(), len(self.looks), grade, 0.0)
            self._shots[key] = _Shots(shown, shown, shown, look)
            self._prune(key)
            return
        speed = _speed(shots.last, look)
        shots.last = look
        is_best, is_worst, is_fastest = grade > shots.best.legibility, grade < shots.worst.legibility, speed > shots.fastest.speed_px_s
        if is_best or is_worst or is_fastest:
            shown = Exhibit(crop.copy(), len(self.looks), grade, speed)
            shots.best = shown if is_best else shots.best
            shots.worst = shown if is_worst else shots.worst
            shots.fastest = shown if is_fastest else shots.fastest

    def _prune(self, newest: tuple[int, int]) -> None:
        if len(self._shots) <= TRACKS_KEPT:
            return
        others = [key for key in self._shots if key != newest]
        orders = (
            sorted(others, key=lambda key: -self._shots[key].best.legibility),
            sorted(others, key=lambda key: self._shots[key].worst.legibility),
            sorted(others, key=lambda key: -self._shots[key].fastest.speed_px_s),
        )
        kept = {newest} | {key for order in orders for key in order[: TRACKS_KEPT // 6]}
        self._shots = {key: shots for key, shots in self._shots.items() if key in kept}


def _is_whole(box: Box, image: Image) -> bool:
    height, width = image.shape[:2]
    return box.x1 > EDGE_PX and box.y1 > EDGE_PX and box.x2 < width - EDGE_PX and box.y2 < height - EDGE_PX


def _moved(shots: _Shots, places: Mapping[int, int]) -> _Shots:
    best, worst, fastest = (replace(shown, look=places[shown.look]) for shown in (shots.best, shots.worst, shots.fastest))
    return _Shots(best, worst, fastest, shots.last)


def _speed(before: PlateLook, now: PlateLook) -> float:
    (x1, y1), (x2, y2) = before.box.centre, now.box.centre
    return math.hypot(x2 - x1, y2 - y1) / max(now.t - before.t, 1e-3)


def sight_of(image: Image) -> Sight:
    """Say how a whole picture, uint8 (h, w, 3) BGR, looks: of its brightness every fourth pixel each way is asked."""
    height, width = image.shape[:2]
    found = []
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            y, x = round(row * max(0, height - TILE[0]) / (GRID[0] - 1)), round(column * max(0, width - TILE[1]) / (GRID[1] - 1))
            grey = grey_of(image[y : y + TILE[0], x : x + TILE[1]])
            widths = edge_widths(grey) if light_of(grey).contrast >= TILE_CONTRAST else None
            if widths is not None:
                found.append(min(widths))
    return Sight(light_of(grey_of(image[::4, ::4])), float(np.percentile(found, 25)) if found else None)
