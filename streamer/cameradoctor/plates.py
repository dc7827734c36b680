"""From what was seen of plates to findings: size, angle, motion blur, focus, light, looks, reads (pure).

Thresholds marked *measured* come from an experiment with this program's own reader: 100 real plate crops (Pakistan, Great Britain,
Germany, Romania, the world) that it reads right, scaled to characters of a given height, then blurred, turned or lit otherwise; the
share that was still read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from streamer.cameradoctor.findings import BLUR, CROPS, READING, VIEW, Finding, grade
from streamer.cameradoctor.measures import READABLE_PX, Motion, Passing, PlateLook, Sight, smear_of, whole

GOOD_HEIGHT_PX: Final = 16.0
FAIR_HEIGHT_PX: Final = READABLE_PX
"""Measured: characters of 8, 9, 10, 12, 14, 16, 20 pixels: 78, 89, 93, 97, 99, 100, 100 %; with a smear of 2 pixels, 12 pixels: 88 to 95 %,
16 pixels: 98 %. Others ask for more: Eocortex 15, SimpleLPR 20, Axxon 20 to 30 pixels."""

GOOD_TURN_DEG: Final = 10.0
FAIR_TURN_DEG: Final = 20.0
"""Measured: turned by 10, 15, 20, 25, 30 degrees: 98, 98, 95, 88, 87 %. Axxon asks for 20 degrees at most, others for 30."""
GOOD_SHAPE: Final = (0.35, 1.2)
FAIR_SHAPE: Final = (0.25, 1.7)
"""Width that a character takes, in its height. Straight in front 0.45 to 0.83 (10th to 90th percentile of those crops, median 0.65).
Measured: seen from the side by 45, 60, 65, 70 degrees (times 0.71, 0.5, 0.42, 0.34): 99, 97, 90, 74 %; from above by 60, 70: 99, 95 %."""

GOOD_SMEAR: Final = 1 / 8
FAIR_SMEAR: Final = 1 / 5
"""Of the characters' height. Measured, smeared downwards / sideways, with characters of 16 and 24 pixels: 1/8 98 to 100 %; 1/5 91 to 100 /
87 to 91 %; 1/4 96 to 97 / 77 to 79 %; 1/3 77 to 87 / 48 to 53 %."""
MOVING_PX_S: Final = 40.0
"""Slower plates smear by less than a pixel at 1/40 s."""
ENOUGH_LOOKS: Final = 5
"""Fewer looks tell nothing of a kind."""

GOOD_EDGE: Final = 0.13
FAIR_EDGE: Final = 0.20
"""Width of edges in heights of the characters. Measured: 0.12 99 %, 0.16 94 %, 0.20 89 %, 0.27 44 %; strokes are about 0.14."""
GOOD_EDGE_PX: Final = 3.0
FAIR_EDGE_PX: Final = 4.5
"""The same for the sharpest parts of the whole picture, in pixels: 3 and 4.5 are 0.13 and 0.2 of characters of 23 pixels."""

GOOD_GLARE: Final = 0.15
FAIR_GLARE: Final = 0.40
"""Share of clipped white around the characters. Measured: 27, 50, 67, 78 % clipped: 93, 84, 67, 53 %."""
GOOD_CONTRAST: Final = 40.0
FAIR_CONTRAST: Final = 25.0
"""Grey levels. Measured, with noise of 3 levels: 75, 38, 24, 17, 11 levels: 97, 96, 93, 88, 72 %. Axxon asks for 25."""
DARK: Final = 13.0
"""Grey levels: ``view.DARK`` of 255."""
BRIGHT: Final = 215.0
WASHED_OUT: Final = 0.2
"""Share of the picture that is clipped white: sky and lamps take less."""
NIGHT: Final = 60.0
"""Mean grey level of a picture below which lamps, not daylight, make plates bright."""

GOOD_READ: Final = 0.90
FAIR_READ: Final = 0.75
"""Share of vehicles with a plate. Toll operators ask for 90 % of readable plates."""
FEW: Final = 10
"""Fewer vehicles are hardly a sample."""

_SHUTTERS: Final = (25, 30, 50, 60, 100, 120, 250, 500, 1000, 2000, 4000, 10000)
"""Exposures that cameras offer, 1/s."""


def judge_height(passings: Sequence[Passing], looks: Sequence[PlateLook]) -> Finding:
    """Are characters large enough? By the worst tenth of the vehicles, each in its better looks; all looks are told, too."""
    name = "character height"
    if not passings or not looks:
        return Finding(name, "no plates", "unknown", "", VIEW)
    judged, _ = whole(passings)
    low = lowest([passing.height_px for passing in judged])
    heights = [look.text.height_px for look in looks]
    worst, middle, best = np.percentile(heights, (10, 50, 90))
    share = np.mean([height >= GOOD_HEIGHT_PX for height in heights])
    value = f"{low:.0f} px in the {worst_of(judged)}; looks {worst:.0f} / {middle:.0f} / {best:.0f} px (10 / 50 / 90 %)"
    value += f", {share:.0%} with {GOOD_HEIGHT_PX:.0f} or more"
    verdict = grade(low, GOOD_HEIGHT_PX, FAIR_HEIGHT_PX)
    factor = GOOD_HEIGHT_PX / max(low, 1.0)
    advice = f"zoom in, or raise the resolution, by a factor of {factor:.1f}, so that characters have {GOOD_HEIGHT_PX:.0f} px"
    advice += "; plates that are not meant to be read can be left out with `region`"
    return Finding(name, value, verdict, advice if verdict != "good" else "", VIEW)


def judge_angle(looks: Sequence[PlateLook]) -> Finding:
    """Do plates lie level, and are they seen from in front? Readable looks only."""
    name = "angle"
    near = _readable(looks)
    if len(near) < ENOUGH_LOOKS:
        return Finding(name, "too few readable plates", "unknown", "", CROPS)
    turns = np.array([look.text.tilt_deg for look in near])
    turned, middle = float(np.percentile(np.abs(turns), 90)), float(np.median(turns))
    shapes = [look.text.width_px / look.text.height_px * look.text.lines / look.chars for look in near if look.chars]
    value = f"turned by {middle:+.0f} degrees (median), at most {turned:.0f} for nine of ten"
    verdict, advice = grade(turned, GOOD_TURN_DEG, FAIR_TURN_DEG), ""
    if verdict != "good":
        way = "anticlockwise" if middle > 0 else "clockwise"
        advice = f"roll the camera so that plates in its picture turn by {abs(middle):.0f} degrees {way}, or mount it less to the side"
    if shapes:
        shape = float(np.median(shapes))
        value += f"; characters take {shape:.2f} of their height in width"
        oblique = _within(shape)
        if oblique != "good":
            verdict = "poor" if "poor" in (verdict, oblique) else "fair"
            whence = "the side" if shape < GOOD_SHAPE[0] else "above"
            advice = "; ".join(filter(None, (advice, f"plates are seen too much from {whence}: aim along the lane, from further away")))
    return Finding(name, value, verdict, advice, CROPS)


def _within(shape: float) -> str:
    if GOOD_SHAPE[0] <= shape <= GOOD_SHAPE[1]:
        return "good"
    return "fair" if FAIR_SHAPE[0] <= shape <= FAIR_SHAPE[1] else "poor"


def judge_blur(looks: Sequence[PlateLook], motions: Sequence[Motion | None]) -> Finding:
    """Does motion smear plates, and how long may the exposure be at the speeds seen?"""
    name = "motion blur"
    moving = [
        (look, motion)
        for look, motion in zip(looks, motions, strict=True)
        if motion is not None and motion.speed_px_s >= MOVING_PX_S and look.text.height_px >= READABLE_PX * 2 / 3
    ]
    if len(moving) < ENOUGH_LOOKS:
        return Finding(name, "too few moving plates", "unknown", "", BLUR)
    fast = float(np.percentile([motion.speed_px_s for _, motion in moving], 90))
    allowed_px = GOOD_SMEAR * max(float(np.median([look.text.height_px for look, _ in moving])), 8.0)
    limit = shutter(allowed_px / fast)
    value = f"plates move at up to {fast:.0f} px/s (nine of ten)"
    smears = [(smear, look, motion) for look, motion in moving if (smear := smear_of(look, motion)) is not None]
    if len(smears) < ENOUGH_LOOKS:
        return Finding(
            name, f"{value}, too slanting to measure the smear", "unknown", f"keep the exposure at {limit} or shorter, at night too", BLUR
        )
    share = float(np.percentile([smear / look.text.height_px for smear, look, _ in smears], 75))
    pixels = float(np.percentile([smear for smear, _, _ in smears], 75))
    value += f", smeared by {pixels:.1f} px (three of four), {share:.2f} of the characters' height"
    verdict = grade(share, GOOD_SMEAR, FAIR_SMEAR)
    if verdict == "good":
        return Finding(name, value, verdict, f"at these speeds, keep the exposure at {limit} or shorter, at night too", BLUR)
    guess = float(np.median([smear / motion.speed_px_s for smear, _, motion in smears]))
    advice = (
        f"set the exposure (shutter) to {limit} or shorter, not automatic; it seems to be about 1/{max(1.0, 1 / max(guess, 1e-4)):.0f} s. "
    )
    return Finding(name, value, verdict, advice + "If the picture gets dark then: more light (infra-red), wider aperture, gain", BLUR)


def shutter(longest_s: float) -> str:
    """Give the longest usual exposure that is no longer, as ``1/500 s``; beyond the shortest usual one, the time itself."""
    for step in _SHUTTERS:
        if 1 / step <= longest_s:
            return f"1/{step} s"
    return f"1/{1 / longest_s:.0f} s"


def judge_focus(looks: Sequence[PlateLook], motions: Sequence[Motion | None], sights: Sequence[Sight]) -> Finding:
    """Is it sharp? By plates, in the direction that motion does not smear, and by the sharpest parts of the picture."""
    name = "focus"
    edges = [
        min(look.edges) / look.text.height_px
        for look, motion in zip(looks, motions, strict=True)
        # Of small characters an edge of one pixel is a large part already: that is judged as their height.
        if look.edges is not None
        and look.text.height_px >= READABLE_PX
        and (motion is None or motion.turn_deg < 30 or motion.speed_px_s < MOVING_PX_S)
    ]
    scenes = [sight.edge_px for sight in sights if sight.edge_px is not None]
    scene = f"edges in the picture {np.median(scenes):.1f} px wide" if scenes else "nothing to see in the picture"
    if len(edges) >= ENOUGH_LOOKS:
        share = float(np.median(edges))
        verdict = grade(share, GOOD_EDGE, FAIR_EDGE)
        value = f"edges of characters {share:.2f} of their height wide; {scene}"
    elif scenes:
        verdict = grade(float(np.median(scenes)), GOOD_EDGE_PX, FAIR_EDGE_PX)
        value = f"{scene}; too few readable plates"
    else:
        return Finding(name, scene, "unknown", "", CROPS)
    advice = (
        "focus by hand on where plates are read, at night by its light, then switch autofocus off; clean the lens; less noise reduction"
    )
    return Finding(name, value, verdict, advice if verdict != "good" else "", CROPS)


def judge_looks(
    passings: Sequence[Passing], *, enough: int, least: int, process_fps: float, analysed_fps: float, camera_fps: float | None
) -> Finding:
    """Is a vehicle seen often enough? ``enough`` looks settle a plate, without ``least`` there is none."""
    name = "looks per passage"
    if not passings:
        return Finding(name, "no vehicles", "unknown", "", VIEW)
    judged, remark = whole(passings)
    counts = [float(passing.readable) for passing in judged]
    low, middle = lowest(counts), float(np.median(counts))
    value = f"{middle:.0f} with characters of {READABLE_PX:.0f} px or more (median)"
    value += f", {low:.0f} in the {worst_of(judged)}{remark}"
    verdict = grade(low, enough, least)
    if verdict == "good":
        return Finding(name, value, verdict, "", VIEW)
    needed = analysed_fps * enough / max(low, 0.5)
    most = min(camera_fps or 25.0, 25.0)
    if lowest([float(passing.looks) for passing in judged]) >= enough:
        advice = "vehicles are seen often enough, but with plates too small to read: see character height"
    elif analysed_fps < 0.8 * min(process_fps, most):
        advice = (
            f"this machine analyses {analysed_fps:.1f} frames a second, not {process_fps:g} (process_fps): fewer cameras, or a faster one"
        )
    elif needed <= most:
        advice = f"raise process_fps from {process_fps:g} to {needed:.0f}"
    else:
        advice = f"process_fps {most:.0f}, and a view that keeps plates readable for {enough / most:.1f} s: along the lane, not across it"
    return Finding(name, value, verdict, advice, VIEW)


def judge_reading(passings: Sequence[Passing]) -> Finding:
    """How many vehicles got a plate, and how far did their looks agree?"""
    if not passings:
        return Finding(
            READING,
            "no vehicle passed",
            "unknown",
            "repeat the test with traffic (--minutes), or look at the picture: is the lane in view?",
            VIEW,
        )
    judged, remark = whole(passings)
    read = [passing for passing in judged if passing.plate is not None]
    share = len(read) / len(judged)
    value = f"{len(read)} of {len(judged)} vehicle{'s' if judged[1:] else ''} ({share:.0%}){remark}"
    agreements = [passing.agreement for passing in read if passing.agreement is not None]
    if agreements:
        value += f"; looks agree by {np.median(agreements):.2f} (median)"
    if len(judged) < len(passings):
        value += f"; {len(passings) - len(judged)} more were cut off by the beginning or the end of the test"
    verdict = grade(share, GOOD_READ, FAIR_READ)
    advice = "few vehicles: repeat the test with more traffic (--minutes)" if len(judged) < FEW else ""
    if verdict != "good":
        reasons = sorted({passing.reason or "" for passing in judged if passing.plate is None} - {""})
        advice = f"no plate because: {', '.join(reasons).replace('_', ' ')}; see the other findings" + (
            f". {advice.capitalize()}" if advice else ""
        )
    return Finding(READING, value, verdict, advice, CROPS)


def lowest(values: Sequence[float]) -> float:
    """Give the value that a tenth do not exceed; of up to ten the least."""
    return float(np.percentile(values, 10, method="lower"))


def worst_of(judged: Sequence[Passing]) -> str:
    """Say in words whose value ``lowest`` is."""
    return (
        f"worst tenth of {len(judged)} vehicles"
        if len(judged) > FEW
        else f"worst of {len(judged)} vehicles"
        if judged[1:]
        else "only vehicle"
    )


def _readable(looks: Sequence[PlateLook]) -> list[PlateLook]:
    return [look for look in looks if look.text.height_px >= READABLE_PX]
