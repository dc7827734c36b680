"""How a camera's picture looks, and whether the camera is blind though it sends: dark, covered, out of focus, long without plates. Pure.

Sharpness is the variance of the Laplacian of a lightly smoothed picture, divided by the picture's own variance, so that neither contrast
nor exposure counts. (Variance of the Laplacian: J. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000;
S. Pertuz et al., "Analysis of focus measure operators for shape-from-focus", Pattern Recognition 46(5), 2013, finds this family best, and
sensitive to noise, hence the smoothing.) It has no absolute meaning: it is compared with the camera's own long-term level in like light.

What a blur by a Gaussian leaves of it, measured on the clips and photographs of the tests (its sigma in pixels of 1280):

    sigma             1     2     4     8
    small view     0.97  0.90  0.70  0.35
    whole picture  0.39  0.12  0.04  0.03    (with noise: 0.45, 0.25, 0.15, 0.15)

Plates of usual size cannot be read from a sigma of about 3 on. So the small view tells a lens that was knocked out of focus, fogged or
smeared; the whole picture tells all that matters, so ``ViewWatch.look`` takes its sharpness from whoever has a whole picture at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamer.live.stats import Blind
from streamer.ports import Luma
from streamer.types import Image

CROP = (640, 480)
"""Width and height of the middle of a large picture in which sharpness is measured: some milliseconds."""

DARK, NOT_DARK = 0.05, 0.08
"""Mean of the picture. Clips and photographs of the tests have 0.3 to 0.5 by day, at a gain of 0.15 still 0.06."""
DARK_LIGHTS, NOT_DARK_LIGHTS = 0.2, 0.3
"""A picture is only dark if its brightest 0.2 % are, too: at night many cameras show lamps and plates on black, and work."""
COVERED, NOT_COVERED = 0.015, 0.03
"""Standard deviation between parts of the picture; 0.11 to 0.29 in the clips and photographs of the tests."""
SMALL_DEFOCUSED, WHOLE_DEFOCUSED = 0.4, 0.25
"""Of the long-term level, see above."""
REFOCUSED = 1.5
"""It counts as sharp again at so many times that."""

DARK_AFTER_S = 300.0
"""Longer than headlights that dazzle, or a lorry that stands in front of the camera for a while."""
COVERED_AFTER_S = 60.0
DEFOCUSED_AFTER_S = 600.0
CLEAR_AFTER_S = 10.0
PLATE_PROVES_S = 600.0
"""Who saw a plate within this time is not blind."""
NEEDED_MOTION_S = 600.0
"""Plates are missed only if something moved for so long since the last one."""

LEARN_S = 1800.0
"""So long a camera's sharpness in one kind of light is watched before it is judged."""
RISE_S, FALL_S = 3600.0, 3 * 86400.0
"""Time constants of the long-term level: a camera that was put right is believed within hours, a worse one is the usual one within days."""
LIGHTS = (0.2, 0.45)
"""Brightness between which pictures are alike: night, dusk, day."""
_LONGEST_STEP_S = 60.0
"""Time for which nobody looked counts as no more than this."""


@dataclass(frozen=True, slots=True)
class View:
    """How the picture looks."""

    brightness: float
    """Mean, 0..1."""
    sharpness: float | None
    """See the module; None where there is nothing to measure (dark, or one colour)."""
    blind: Blind | None
    changed: bool
    """``blind`` is another one than at the last look."""


def brightness(luma: Luma) -> float:
    """Give the mean of a grey view, uint8 (h, w), as 0..1. Pixels that are exactly black are left out: they may have been blackened."""
    seen = luma[luma > 0]
    return float(seen.mean()) / 255.0 if seen.size else 0.0


def contrast(luma: Luma) -> float:
    """Give the standard deviation between parts of a grey view (4 x 4 pixels of 160, so that noise does not count), 0..0.5."""
    import cv2

    size = (max(1, luma.shape[1] // 4), max(1, luma.shape[0] // 4))
    parts = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)
    whole = np.asarray(cv2.resize((luma > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)) > 0.99
    seen = parts[whole]
    return float(seen.std()) / 255.0 if seen.size else 0.0


def sharpness(picture: Image | Luma) -> float | None:
    """Measure how sharp a picture is: uint8, (h, w, 3) BGR or (h, w) grey, of any size; of large ones the middle.

    Pictures can be compared if they have the same size and show about the same. None if they show nothing (one colour).
    """
    import cv2

    top, left = (max(0, (length - most) // 2) for length, most in zip(picture.shape[:2], CROP[::-1], strict=True))
    middle = picture[top : top + CROP[1], left : left + CROP[0]]
    grey = cv2.cvtColor(middle, cv2.COLOR_BGR2GRAY) if middle.ndim == 3 else middle
    if min(grey.shape[:2]) < 3:
        return None
    smooth: npt.NDArray[np.float32] = np.asarray(cv2.GaussianBlur(np.asarray(grey, np.float32), (0, 0), 1.0), np.float32)
    variance = float(smooth.var())
    if variance < (COVERED * 255) ** 2:
        return None
    return float(np.asarray(cv2.Laplacian(smooth, cv2.CV_32F)).var()) / variance


@dataclass(slots=True)
class _Alarm:
    """Goes on after what is wrong has lasted, and off after it has been right for a while; what is neither changes nothing."""

    on_after_s: float
    on: bool = False
    _lasted_s: float = 0.0

    def update(self, passed_s: float, *, wrong: bool, right: bool) -> bool:
        against = right if self.on else wrong
        self._lasted_s = self._lasted_s + passed_s if against else 0.0
        if self._lasted_s >= (CLEAR_AFTER_S if self.on else self.on_after_s):
            self.on, self._lasted_s = not self.on, 0.0
        return self.on

    def clear(self) -> None:
        self.on, self._lasted_s = False, 0.0


@dataclass(slots=True)
class _Level:
    """What is usual in one kind of light."""

    value: float = 0.0
    watched_s: float = 0.0

    def learn(self, value: float, passed_s: float) -> None:
        if self.watched_s == 0.0:
            self.value = value
        # At first the plain mean, or a bad first minute would be the measure for days.
        self.watched_s += passed_s
        slow = RISE_S if value > self.value else FALL_S
        share = passed_s / max(self.watched_s, 1e-9) if self.watched_s < LEARN_S else -math.expm1(-passed_s / slow)
        self.value += share * (value - self.value)


@dataclass(slots=True)
class _Focus:
    """Compares sharpness with the usual."""

    limit: float
    alarm: _Alarm = field(default_factory=lambda: _Alarm(DEFOCUSED_AFTER_S))
    _levels: dict[int, _Level] = field(default_factory=dict)

    def update(self, value: float, light: float, passed_s: float) -> None:
        level = self._levels.setdefault(sum(light >= limit for limit in LIGHTS), _Level())
        known = level.watched_s >= LEARN_S
        ratio = value / level.value if level.value > 0 else 1.0
        self.alarm.update(passed_s, wrong=known and ratio < self.limit, right=not known or ratio > self.limit * REFOCUSED)
        level.learn(value, passed_s)


class ViewWatch:
    """Watches one camera's picture over its life, through all its sessions. One thread."""

    def __init__(self, no_plates_after_s: float = 12 * 3600.0) -> None:
        """Take how long a camera in front of which things move may go without a plate, seconds; 0: for ever."""
        self._no_plates_after_s = no_plates_after_s
        self._began: float | None = None
        self._t = 0.0
        self._dark = _Alarm(DARK_AFTER_S)
        self._covered = _Alarm(COVERED_AFTER_S)
        self._small = _Focus(SMALL_DEFOCUSED)
        self._whole = _Focus(WHOLE_DEFOCUSED)
        self._whole_at: float | None = None
        self._whole_sharpness: float | None = None
        self._moving_s = 0.0
        self._blind: Blind | None = None

    def look(
        self, luma: Luma, t: float, *, plate_age_s: float | None = None, moving: bool = False, whole_sharpness: float | None = None
    ) -> View:
        """Take a small grey view, uint8 (h, w), about once a second, and its time (seconds, never backwards); say how it looks.

        ``plate_age_s``: seconds since a plate was seen, None if there was none yet. ``moving``: something moves. ``whole_sharpness``: what
        ``sharpness`` gave for a whole picture since the last look, if for any; from then on only such values are judged.
        """
        passed_s = 0.0 if self._began is None else min(_LONGEST_STEP_S, max(0.0, t - self._t))
        self._began = t if self._began is None else self._began
        self._t = t
        light, parts = brightness(luma), contrast(luma)
        lights = float(np.percentile(luma, 99.8)) / 255.0
        if plate_age_s is not None and plate_age_s < PLATE_PROVES_S:
            for alarm in (self._dark, self._covered, self._small.alarm, self._whole.alarm):
                alarm.clear()
        dark = light < DARK and lights < DARK_LIGHTS
        self._dark.update(passed_s, wrong=dark, right=light > NOT_DARK or lights > NOT_DARK_LIGHTS)
        self._covered.update(passed_s, wrong=parts < COVERED and not dark, right=parts > NOT_COVERED)
        measured = None if dark or parts < COVERED else sharpness(luma)
        self._judge_focus(measured, whole_sharpness, light, t, passed_s)
        blind = self._worst(self._misses_plates(plate_age_s, moving, passed_s))
        changed, self._blind = blind != self._blind, blind
        return View(light, measured if self._whole_at is None else self._whole_sharpness, blind, changed)

    def _judge_focus(self, small: float | None, whole: float | None, light: float, t: float, passed_s: float) -> None:
        if whole is not None:
            whole_passed_s = 0.0 if self._whole_at is None else t - self._whole_at
            if self._whole_at is None:
                self._small.alarm.clear()
            self._whole_at, self._whole_sharpness = t, whole
            self._whole.update(whole, light, min(_LONGEST_STEP_S, whole_passed_s))
        elif self._whole_at is None and small is not None:
            self._small.update(small, light, passed_s)

    def _misses_plates(self, plate_age_s: float | None, moving: bool, passed_s: float) -> bool:
        assert self._began is not None
        without_s = self._t - self._began if plate_age_s is None else plate_age_s
        if without_s < passed_s or without_s < 1.0:
            self._moving_s = 0.0
        self._moving_s += passed_s if moving else 0.0
        return 0.0 < self._no_plates_after_s <= without_s and self._moving_s >= NEEDED_MOTION_S

    def _worst(self, no_plates: bool) -> Blind | None:
        if self._dark.on:
            return "dark"
        if self._covered.on:
            return "covered"
        if self._small.alarm.on or self._whole.alarm.on:
            return "defocused"
        return "no_plates" if no_plates else None
