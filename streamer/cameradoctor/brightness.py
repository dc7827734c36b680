"""From brightness to findings: glare and contrast of plates, exposure of the picture (pure). Thresholds: ``plates``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamer.cameradoctor.findings import CROPS, LIGHT, Finding, grade
from streamer.cameradoctor.measures import PlateLook, Sight
from streamer.cameradoctor.plates import (
    BRIGHT,
    DARK,
    ENOUGH_LOOKS,
    FAIR_CONTRAST,
    FAIR_GLARE,
    GOOD_CONTRAST,
    GOOD_GLARE,
    NIGHT,
    WASHED_OUT,
)


def judge_glare(looks: Sequence[PlateLook], sights: Sequence[Sight]) -> Finding:
    """Are plates overexposed? By the worst tenth of the looks: a low sun or a lamp meets some plates only."""
    name = "glare on plates"
    if len(looks) < ENOUGH_LOOKS:
        return Finding(name, "too few plates", "unknown", "", CROPS)
    share = float(np.percentile([look.light.highlights for look in looks], 90))
    verdict = grade(share, GOOD_GLARE, FAIR_GLARE)
    value = f"{share:.0%} of a plate is clipped white in the worst tenth of looks"
    night = bool(sights) and float(np.median([sight.light.mean for sight in sights])) < NIGHT
    if night:
        advice = "shorter exposure, less infra-red power or less gain: plates throw light straight back; light metering on plates"
    else:
        advice = "shorter exposure, or exposure compensation of -1; wide dynamic range (WDR) on; light metering on where plates are"
    return Finding(name, value, verdict, advice if verdict != "good" else "", CROPS)


def judge_contrast(looks: Sequence[PlateLook]) -> Finding:
    """Do characters stand out from their plates? By the worst tenth of the looks."""
    name = "contrast of plates"
    if len(looks) < ENOUGH_LOOKS:
        return Finding(name, "too few plates", "unknown", "", CROPS)
    levels = float(np.percentile([look.light.contrast for look in looks], 10))
    mean = float(np.median([look.light.mean for look in looks]))
    verdict = grade(levels, GOOD_CONTRAST, FAIR_CONTRAST)
    value = f"{levels:.0f} of 255 grey levels in the worst tenth of looks; plates are {mean:.0f} bright"
    if mean < NIGHT:
        advice = "more light on plates (infra-red) rather than a longer exposure, which smears; then a wider aperture, then gain"
    else:
        advice = "backlight compensation or WDR on, so that plates in the shade of their vehicle are bright enough; clean the lens"
    return Finding(name, value, verdict, advice if verdict != "good" else "", CROPS)


def judge_exposure(sights: Sequence[Sight], *, plates: bool) -> Finding:
    """Is the picture too dark or too bright? Where plates are seen, ``plates``, a dark picture is no fault: at night it is meant so."""
    name = "exposure"
    if not sights:
        return Finding(name, "no pictures", "unknown", "", LIGHT)
    mean = float(np.median([sight.light.mean for sight in sights]))
    white = float(np.median([sight.light.highlights for sight in sights]))
    black = float(np.median([sight.light.shadows for sight in sights]))
    value = f"mean {mean:.0f} of 255; {white:.0%} clipped white, {black:.0%} clipped black"
    if mean < DARK:
        advice = "too dark: is the camera covered, the light off, the exposure too short? Raise gain or light"
    elif mean > BRIGHT or white > WASHED_OUT:
        advice = "too bright: shorter exposure, less gain, WDR on; keep the sky out of the picture"
    else:
        return Finding(name, value, "good", "", LIGHT)
    return Finding(name, value, "fair" if plates else "poor", advice, LIGHT)
